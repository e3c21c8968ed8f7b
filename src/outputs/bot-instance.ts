/** How to find a job in Teleport: its bot instance, and its events in the audit log. */

/** For `tctl`, on servers from 16 on. */
export function instanceCommand(botName: string, instanceId: string): string {
  return `tctl bots instances show ${botName}/${instanceId}`;
}

/** For Access Monitoring, with `tctl audit query exec` or in the web UI. The web UI's audit log also finds the ID as text. */
export function auditQuery(instanceId: string): string {
  return `SELECT * FROM bot_join WHERE bot_instance_id = '${instanceId}'`;
}

/** The same for all joins with a token. */
export function auditQueryOfToken(name: string): string {
  return `SELECT * FROM bot_join WHERE token_name = '${name.replaceAll("'", "''")}'`;
}
