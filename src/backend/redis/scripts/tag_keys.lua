-- KEYS: tag keys. ARGV: 2 time from which the offer is usable, 3 the offer.
local newest = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if not newest[2] or tonumber(newest[2]) < tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
end
return redis.call('ZRANGE', KEYS[1], 0, -1)
