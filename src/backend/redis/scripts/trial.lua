redis.call('PUBLISH', ARGV[1], '')
return 'done'
