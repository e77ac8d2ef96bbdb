-- KEYS: tag keys. ARGV: 3 time from which the offer is usable, 4 the offer.
local newest = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if not newest[2] or tonumber(newest[2]) < tonumber(ARGV[3]) then
  redis.call('ZADD', KEYS[1], ARGV[3], ARGV[4])
end
return redis.call('ZRANGE', KEYS[1], 0, -1)
