// Stands in for web-streams-polyfill in the bundle: Node 18 has web streams of its own.
