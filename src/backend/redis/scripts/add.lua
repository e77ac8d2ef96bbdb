-- What most logins are: no cap, and no session to retire. It needs nothing of what comes before the others.
-- KEYS: session, index of its user, of each login. ARGV: from 2 on, of each login: record, id, when it was
-- issued, until when it is kept.
-- More than so many sessions of a user are more than most have: some of them may be gone.
local MANY, SAMPLE = 16, 8

-- Returns what a login alone is answered and, where that differs, what one of several is: an error would be everybody's.
local function add(session, index, record, id, issued, till)
  local kept = redis.pcall('SET', KEYS[session], record, 'PXAT', till, 'NX')
  if not kept then return 'taken' end
  if kept.err then return kept, 'alone' end
  local indexed = redis.pcall('ZADD', KEYS[index], issued, id)
  if type(indexed) == 'table' then return indexed, { 'refused', indexed.err } end
  local many, left = redis.call('ZCARD', KEYS[index]), -1
  if many > 1 then left = redis.call('PTTL', KEYS[index]) end
  -- The index lives at least as long as the sessions in it.
  local time = left >= 0 and redis.call('TIME')
  if not time or time[1] * 1000 + left < tonumber(till) then
    redis.call('PEXPIREAT', KEYS[index], till)
  end
  -- An answer that is no table takes a microsecond less.
  if many <= MANY then return 'kept' end
  return { 'kept', {}, redis.call('ZRANDMEMBER', KEYS[index], SAMPLE) }
end

local logins = (#ARGV - 1) / 4
if logins == 1 then return (add(1, 2, ARGV[2], ARGV[3], ARGV[4], ARGV[5])) end
local answers = {}
for n = 1, logins do
  local at = 4 * n - 2
  local done, one, many = pcall(add, 2 * n - 1, 2 * n, ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
  -- An error is a table since Redis 7.
  answers[n] = done and (many or one) or { 'refused', type(one) == 'table' and one.err or one }
end
return answers
