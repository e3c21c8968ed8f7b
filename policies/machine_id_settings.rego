# What to change in this policy pack. Rules are in machine_id.rego.
package org

policy_name["machine_id_settings"]

# Versions of the orb teleport/machine-id that a config may use.
machine_id_versions := {"0.1.0"}
