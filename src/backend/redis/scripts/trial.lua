return redis.call('PUBLISH', ARGV[1], '')
