-- KEYS: session_keys of a user. ARGV: 2 fingerprint, 3 key, 4 and 5 how long to keep it and the
-- ones that are not the newest, 6 when its login began (now, if empty).
-- Each field holds version, end, fingerprint, key; n the newest, p the previous, 3 to 5 those
-- before. The release before this one knows n and p only, so when the logins began is in a field
-- of its own: version, then fingerprint and time of each.
local FIELDS = { 'n', 'p', '3', '4', '5' }
local fingerprint = ARGV[2]
local began = math.min(tonumber(ARGV[6]) or now, now)

local function beginnings()
  local text, found = redis.call('HGET', KEYS[1], 't') or '', {}
  if string.byte(text) == 1 then
    for at = 2, #text - 21, 22 do
      found[string.sub(text, at, at + 15)] = number_at(text, at + 16)
    end
  end
  return found
end

-- What is kept, newest first.
local function read()
  local known, kept, seen = beginnings(), {}, {}
  for _, text in ipairs(redis.call('HMGET', KEYS[1], 'n', 'p', '3', '4', '5')) do
    local is_ours = text and string.byte(text) == 1 and #text >= 23
    local ends = is_ours and number_at(text, 2) or 0
    local print = is_ours and string.sub(text, 8, 23)
    if ends > now and not seen[print] then
      seen[print] = true
      table.insert(kept, { till = ends, print = print, rest = string.sub(text, 8), began = known[print] })
    end
  end
  -- Of what the release before has put first, it is known that it came later than the rest.
  for i = #kept, 1, -1 do
    kept[i].began = math.max(kept[i].began or 0, kept[i + 1] and kept[i + 1].began or 0)
  end
  return kept
end

local kept = read()
local newest = kept[1]
for i, same in ipairs(kept) do
  if same.print == fingerprint then
    if same.began > began then return 'done' end
    table.remove(kept, i)
    break
  end
end
local place = 1
while kept[place] and kept[place].began > began do place = place + 1 end
local keep, keep_replaced = tonumber(ARGV[4]), tonumber(ARGV[5])
if place > 1 then
  keep = math.min(keep, keep_replaced)
elseif newest then
  newest.till = math.min(newest.till, now + keep_replaced)
end
table.insert(kept, place, {
  till = math.min(now + keep, LATEST), print = fingerprint, rest = fingerprint .. ARGV[3], began = began,
})

local times, till = '\1', 0
for i, field in ipairs(FIELDS) do
  local one = kept[i]
  if one then
    redis.call('HSET', KEYS[1], field, '\1' .. bytes_of(one.till) .. one.rest)
    times = times .. one.print .. bytes_of(one.began)
    till = math.max(till, one.till)
  else
    redis.call('HDEL', KEYS[1], field)
  end
end
redis.call('HSET', KEYS[1], 't', times)
redis.call('PEXPIREAT', KEYS[1], till)
return 'done'
