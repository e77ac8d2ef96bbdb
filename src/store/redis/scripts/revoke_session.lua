-- KEYS: session. ARGV: 3 id, 4 reason, 5 latest time of issue or ''.
local issued_by = tonumber(ARGV[5]) or LATEST
local line, seen, id = {}, {}, ARGV[3]
while id and not seen[id] do
  seen[id] = true
  local r = look(session_key(id))
  if is_forgotten(r) then break end
  if is_kept(r) and (now >= kept_until(r) or r.issued > issued_by) then break end
  table.insert(line, { id = id, record = r })
  id = r.successor
end
local ids = overwrite_all(line, tonumber(ARGV[4]))
announce(ids)
return ids
