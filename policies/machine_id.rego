# Rules for jobs that join a Teleport cluster with the orb teleport/machine-id, or with its script.
#
# CircleCI evaluates all policies of an organization together, so every name begins with machine_id.
# Documentation: docs/how-to/policies.md
package org

import future.keywords

policy_name["machine_id"]

enable_rule["machine_id_version"]

enable_rule["machine_id_context"]

enable_rule["machine_id_fork"]

enable_rule["machine_id_ssh_rerun"]

enable_rule["machine_id_compiled"]

hard_fail["machine_id_version"]

hard_fail["machine_id_context"]

hard_fail["machine_id_fork"]

hard_fail["machine_id_ssh_rerun"]

hard_fail["machine_id_compiled"]

# The orb is pinned to an exact, allowed version, also where an inline orb uses it.
machine_id_version[reference] = reason {
	some reference in machine_id_references
	not machine_id_allowed(reference)
	reason := concat("", [
		"orb \"", reference, "\" is not pinned to an allowed version; expected teleport/machine-id@",
		concat(" or @", sort(machine_id_versions)),
	])
}

# The same for an orb that wraps this one, and for a reference with a parameter: each step names its version.
machine_id_version[id] = reason {
	some name, job in input.compiled.jobs
	some version in machine_id_versions_of(job)
	not version in machine_id_versions
	id := concat(" ", ["job", name])
	reason := concat("", [
		"job \"", name, "\" runs version ", version, " of the orb teleport/machine-id; expected ",
		concat(" or ", sort(machine_id_versions)),
	])
}

# A job that joins has a context, which the rule of the join token can then require.
machine_id_context[id] = reason {
	some call in machine_id_calls
	not machine_id_has_context(call)
	id := machine_id_name(call)
	reason := concat("", [id, " joins the Teleport cluster without a context; list the context of the join token under \"context\""])
}

# The pipeline of a fork runs no job that joins.
machine_id_fork[id] = reason {
	origin := data.meta.vcs.origin_repository_url
	origin != data.meta.vcs.target_repository_url
	some call in machine_id_calls
	not machine_id_filtered(call)
	id := machine_id_name(call)
	reason := concat("", [
		id, " joins the Teleport cluster, but this pipeline is of the fork ", origin,
		"; exclude forks with a filter, such as \"branches: {only: main}\"",
	])
}

# Nobody gets a shell in a job that joins.
machine_id_ssh_rerun[id] = reason {
	data.meta.ssh_rerun == true
	some call in machine_id_calls
	not machine_id_filtered(call)
	id := machine_id_name(call)
	reason := concat("", [id, " joins the Teleport cluster and cannot be rerun with SSH; rerun it without SSH"])
}

# Without the compiled config, the rules above would find no job and pass everything.
machine_id_compiled = "the config uses the orb teleport/machine-id but was not compiled, so no rule can find the jobs that join; evaluate the compiled config" {
	count(machine_id_references) > 0
	not input.compiled
}

machine_id_references := {reference |
	walk(input, [path, reference])
	last := count(path) - 2
	path[last] == "orbs"
	is_string(reference)
	regex.match(`^teleport/machine-id(@|$)`, reference)
}

machine_id_allowed(reference) {
	some version in machine_id_versions
	reference == concat("@", ["teleport/machine-id", version])
}

# The orb's steps set mi_version in the first lines of their script.
machine_id_versions_of(job) = {version |
	walk(job.steps, [_, step])
	is_string(step.environment.MACHINE_ID_STEP)
	some version in machine_id_versions_in(step.command)
}

machine_id_versions_in(command) = found {
	found := {match[1] | some match in regex.find_all_string_submatch_n(`(?m)^mi_version='([^']*)'`, command, -1)}
	count(found) > 0
} else = {"unknown"}

# Each job that joins, as often as workflows call it: {workflow, job, settings}.
machine_id_calls[call] {
	some workflow, definition in input.compiled.workflows
	some entry in definition.jobs
	some job, settings in machine_id_entry(entry)
	machine_id_joins(input.compiled.jobs[job])
	call := {"workflow": workflow, "job": job, "settings": settings}
}

machine_id_entry(entry) = {entry: {}} {
	is_string(entry)
}

machine_id_entry(entry) = entry {
	is_object(entry)
}

machine_id_joins(job) {
	walk(job.steps, [_, step])
	step.environment.MACHINE_ID_STEP == "join"
}

# The script, called by hand.
machine_id_joins(job) {
	walk(job.steps, [path, command])
	path[count(path) - 1] in {"run", "command"}
	is_string(command)
	regex.match(`machine-id\.cjs["']?\s+run\b`, command)
}

machine_id_has_context(call) {
	is_string(call.settings.context)
	call.settings.context != ""
}

machine_id_has_context(call) {
	some context in call.settings.context
	context != ""
}

machine_id_name(call) = concat("", ["job \"", call.job, "\" of workflow \"", call.workflow, "\""])

# The job does not run on this pipeline's branch. A filter that cannot be evaluated excludes nothing.
machine_id_filtered(call) {
	only := machine_id_list(call.settings.filters.branches.only)
	count(only) > 0
	every pattern in only {
		machine_id_matches(pattern) == "no"
	}
}

machine_id_filtered(call) {
	some pattern in machine_id_list(call.settings.filters.branches.ignore)
	machine_id_matches(pattern) == "yes"
}

machine_id_list(value) = [value] {
	is_string(value)
}

machine_id_list(value) = value {
	is_array(value)
}

# "yes" or "no", undefined if the branch is unknown or the regular expression is not RE2.
machine_id_matches(pattern) = answer {
	data.meta.vcs.branch != ""
	not startswith(pattern, "/")
	answer := {true: "yes", false: "no"}[pattern == data.meta.vcs.branch]
}

machine_id_matches(pattern) = answer {
	data.meta.vcs.branch != ""
	startswith(pattern, "/")
	endswith(pattern, "/")
	expression := concat("", ["^(?:", substring(pattern, 1, count(pattern) - 2), ")$"])
	regex.is_valid(expression)
	answer := {true: "yes", false: "no"}[regex.match(expression, data.meta.vcs.branch)]
}
