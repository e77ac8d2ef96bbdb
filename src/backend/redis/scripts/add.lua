-- What most logins are: no cap, and no session to retire. It needs nothing of what comes before the others.
-- KEYS: session, index of its user. ARGV: 2 record, 3 id, 4 when it was issued, 5 until when it is kept.
-- More than so many sessions of a user are more than most have: some of them may be gone.
local MANY, SAMPLE = 16, 8

if not redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[5], 'NX') then return 'taken' end
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
local many, left = redis.call('ZCARD', KEYS[2]), -1
if many > 1 then left = redis.call('PTTL', KEYS[2]) end
-- The index lives at least as long as the sessions in it.
local time = left >= 0 and redis.call('TIME')
if not time or time[1] * 1000 + left < tonumber(ARGV[5]) then
  redis.call('PEXPIREAT', KEYS[2], ARGV[5])
end
-- An answer that is no table takes a microsecond less.
if many <= MANY then return 'kept' end
return { 'kept', {}, redis.call('ZRANDMEMBER', KEYS[2], SAMPLE) }
