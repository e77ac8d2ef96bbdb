-- KEYS: session. ARGV: 2 last use, 3 slack, 4 first use that was not told.
local r = look(1)
if is_forgotten(r) then return 'refused' end
if r.fault then return r.fault end

-- A node whose clock is ahead must not prolong a session beyond what is measured here.
-- It would come again at once if it was told that this use is covered.
local claimed, slack = tonumber(ARGV[2]), tonumber(ARGV[3])
local used = math.min(claimed, now)
local since = math.min(tonumber(ARGV[4]), used)
local accepted = now < kept_until(r) and since <= r.deadline and used < hard_end(r)
if not accepted then return 'refused' end

-- A use that the deadline covers writes nothing: a touch from another node was enough.
if claimed + r.idle < r.deadline then return { 'accepted', r.deadline } end

r.deadline = math.max(r.deadline, math.min(used + r.idle + slack, LATEST))
r.used = math.max(r.used, used)
-- The expiry first: a server without memory takes that, and then what follows in the same script.
-- One that takes no writes for another reason has said all the same that the session is there. But
-- a replica may be behind, so that its refusal says nothing of a session.
local kept = redis.pcall('PEXPIREAT', KEYS[1], kept_until(r))
if type(kept) == 'table' and kept.err then
  local reason = string.match(kept.err, 'MISCONF') or string.match(kept.err, 'NOREPLICAS')
  if reason then return { 'unwritten', reason } end
  return kept
end
redis.call('SETRANGE', KEYS[1], 21, bytes_of(r.deadline) .. bytes_of(r.used))
-- The index is another key, and perhaps elsewhere while a slot moves: it is told next.
return { 'accepted', r.deadline, r.user, r.issued, kept_until(r) }
