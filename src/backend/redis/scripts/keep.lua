-- KEYS: new session. ARGV: 3 record.
if redis.call('EXISTS', KEYS[1]) == 1 then return 'taken' end
redis.call('SET', KEYS[1], ARGV[3], 'PXAT', kept_until(parse(nil, ARGV[3])))
return 'done'
