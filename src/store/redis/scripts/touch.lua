-- KEYS: session. ARGV: 3 time of use, 4 slack.
local r = look(KEYS[1])
if is_forgotten(r) then return 'refused' end
if r.fault then return r.fault end

-- A node whose clock is ahead must not prolong a session beyond what is measured here.
-- It would come again at once if it was told that this use is covered.
local claimed, slack = tonumber(ARGV[3]), tonumber(ARGV[4])
local used = math.min(claimed, now)
local accepted = now < kept_until(r) and used <= r.deadline
  and used < math.min(r.retires or LATEST, r.absolute)
if not accepted then return 'refused' end

-- A use that the deadline covers writes nothing: a touch from another node was enough.
if claimed + r.idle < r.deadline then return { 'accepted', r.deadline } end

r.deadline = math.max(r.deadline, math.min(used + r.idle + slack, LATEST))
r.used = math.max(r.used, used)
redis.call('SETRANGE', KEYS[1], 21, struct.pack('>I6I6', r.deadline, r.used))
redis.call('PEXPIREAT', KEYS[1], kept_until(r))
-- The index is another key, and perhaps elsewhere while a slot moves: it is told next.
return { 'accepted', r.deadline, r.user, r.issued, kept_until(r) }
