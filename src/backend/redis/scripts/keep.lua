-- KEYS: new session. ARGV: 2 record.
if redis.call('EXISTS', KEYS[1]) == 1 then return 'taken' end
redis.call('SET', KEYS[1], ARGV[2], 'PXAT', kept_until(parse(nil, ARGV[2])))
return 'done'
