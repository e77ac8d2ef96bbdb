-- KEYS: index of a user. ARGV: 3 session in use, 4 when it was issued, 5 until when it is kept.
add_to_index(KEYS[1], ARGV[3], ARGV[4], tonumber(ARGV[5]))
return 'done'
