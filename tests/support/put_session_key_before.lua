-- What the release before the one with five session_keys runs.
local LATEST = 281474976710655
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- KEYS: session_keys of a user. ARGV: 3 fingerprint, 4 key, 5 and 6 how long to keep it and the
-- one before it. Fields n and p hold the newest and the previous: version, end, fingerprint, key.
local key, fingerprint = KEYS[1], ARGV[3]
local till = math.min(now + tonumber(ARGV[5]), LATEST)

local function field(name)
  local text = redis.call('HGET', key, name)
  if not text then return nil end
  local ends = string.byte(text) == 1 and struct.unpack('>I6', text, 2) or 0
  if ends > now then return { till = ends, rest = string.sub(text, 8) } end
end

local newest, previous = field('n'), field('p')
if not newest then newest, previous = previous, nil end
if newest and string.sub(newest.rest, 1, 16) == fingerprint then
  newest.till = till
else
  if newest then newest.till = math.min(newest.till, now + tonumber(ARGV[6])) end
  newest, previous = { till = till, rest = fingerprint .. ARGV[4] }, newest
end

redis.call('HSET', key, 'n', '\1' .. struct.pack('>I6', newest.till) .. newest.rest)
if previous then
  redis.call('HSET', key, 'p', '\1' .. struct.pack('>I6', previous.till) .. previous.rest)
else
  redis.call('HDEL', key, 'p')
end
redis.call('PEXPIREAT', key, math.max(newest.till, previous and previous.till or 0))
return 'done'
