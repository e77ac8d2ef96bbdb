-- KEYS: index of the user. ARGV: 3 reason, 4 latest time of issue or '', 5 session to spare or ''.
local index, issued_by = KEYS[1], tonumber(ARGV[4]) or LATEST

local spared, id = {}, ARGV[5]
while id and id ~= '' and not spared[id] do
  spared[id] = true
  local r = look(session_key(id))
  id = is_kept(r) and r.successor
end

local gone, line = {}, {}
local known = redis.call('ZRANGE', index, 0, -1, 'WITHSCORES')
for i = 1, #known, 2 do
  local other = known[i]
  local r = look(session_key(other))
  -- What a newer release wrote is live there, whatever it says: only its time of issue is known.
  local is_open = is_kept(r) and now < kept_until(r) or (r and r.fault == NEWER)
  if is_forgotten(r) then
    table.insert(gone, other)
  elseif is_open and not spared[other] and tonumber(known[i + 1]) <= issued_by then
    table.insert(line, { id = other, record = r })
  end
end

forget(index, gone)
local ids = overwrite_all(line, tonumber(ARGV[3]))
announce(ids)
return ids
