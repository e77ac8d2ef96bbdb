-- KEYS: index of a user. ARGV: 2 session in use, 3 when it was issued, 4 until when it is kept.
add_to_index(1, ARGV[2], ARGV[3], tonumber(ARGV[4]))
return 'done'
