-- Comes before every script. Positions and codes are those of record.rs; all times are in ms.
-- Scripts look first and change afterwards: where Redis refuses a look, nothing has been changed.
-- Every key that a script touches is among its KEYS: while a slot moves, the server answers TRYAGAIN
-- unless it has all of them, and what is not there is really gone. A script that finds out that it
-- needs more says 'again' and which, and changes nothing.
-- Some servers read a script before they run it: where a key belongs stands KEYS[n] or KEYS[name] and
-- nothing else, so keys go by their positions. And Lua is 5.1 or 5.4: what is an integer stays one.
local LATEST = 281474976710655
local HEADER, TAIL, RETIRED = 59, 30, 4
local REPLACED, EXPIRED, IDLE, SESSION_KEY_EXPIRED = 3, 4, 5, 6
local NEWER, CORRUPT = 'newer', 'corrupt'
-- For a damaged record that has no expiry: the longest that a session lasts by default.
local MONTH = 30 * 24 * 60 * 60 * 1000
-- For how long after its idle deadline a session is kept at least: see `Record::kept_until`.
local KEPT_FOR_LATE_USES = 6 * 60 * 60 * 1000

local time = redis.call('TIME')
local now = math.floor(time[1] * 1000 + time[2] / 1000)

-- Where the keys are whose names are the last of ARGV, by these names: from which key and which name on.
local function given_from(key, name)
  local given = {}
  for i = name, #ARGV do given[ARGV[i]] = key + i - name end
  return given
end

-- The answer that asks for these sessions, if not all of them were given.
local function again_for(given, ids)
  for _, id in ipairs(ids) do
    if not given[id] then return { 'again', ids } end
  end
end

-- The number in the six bytes from a position on, and the other way round.
local function number_at(text, position)
  local a, b, c, d, e, f = string.byte(text, position, position + 5)
  return ((((a * 256 + b) * 256 + c) * 256 + d) * 256 + e) * 256 + f
end

local function bytes_of(number)
  local high = math.floor(number / 16777216)
  return string.char(
    math.floor(high / 65536), math.floor(high / 256) % 256, high % 256,
    math.floor(number / 65536) % 256, math.floor(number / 256) % 256, number % 256)
end

local function is_retired(flags) return flags % (2 * RETIRED) >= RETIRED end

-- `text` is the start of what is kept under the key at `at`, or all of it where there is no key yet.
local function parse(at, text)
  local version, state, flags = string.byte(text, 1, 3)
  if version and version > 1 and version < 32 then return { fault = NEWER } end
  if version ~= 1 or not flags then return { fault = CORRUPT } end
  local is_reason = state >= 1 and state <= REPLACED or state == SESSION_KEY_EXPIRED
  if is_reason and #text == 15 then
    return { revoked = true, reason = state, till = number_at(text, 10) }
  end
  if state ~= 0 or #text < HEADER then return { fault = CORRUPT } end
  local r = { at = at, flags = flags, header = text, user = string.sub(text, 34, 55) }
  r.issued, r.absolute, r.idle = number_at(text, 4), number_at(text, 10), number_at(text, 16)
  r.deadline, r.used = number_at(text, 22), number_at(text, 28)
  if is_retired(flags) then
    local length = at and redis.call('STRLEN', KEYS[at]) or #text
    if length < HEADER + TAIL then return { fault = CORRUPT } end
    local tail = at and redis.call('GETRANGE', KEYS[at], -TAIL, -1) or string.sub(text, -TAIL)
    r.retires, r.successor = number_at(tail, 1), string.sub(tail, 7)
    if r.retires == 0 then r.retires = nil end
  end
  return r
end

-- What is kept under a session's key, without names and data; nil if nothing is.
local function look(at)
  local text = redis.pcall('GETRANGE', KEYS[at], 0, HEADER - 1)
  if type(text) == 'table' then
    -- That the user may not read it, for one, says nothing of what is there.
    if not string.find(text.err, 'WRONGTYPE', 1, true) then error(text.err) end
    return { fault = CORRUPT }
  end
  if text == '' and redis.call('EXISTS', KEYS[at]) == 0 then return nil end
  return parse(at, text)
end

local function hard_end(r) return math.min(r.retires or LATEST, r.absolute) end

-- Until when a session that is over is known by its reason.
local function remembered_until(r)
  return math.min(math.min(hard_end(r), r.deadline) + r.idle, LATEST)
end

-- Until when a record is kept, to take in a late touch.
local function kept_until(r)
  local late = r.deadline + math.max(r.idle, KEPT_FOR_LATE_USES)
  return math.min(late, hard_end(r) + r.idle, LATEST)
end

-- Why a session that was not revoked is over, if it is.
local function ended(r)
  if r.retires and now >= r.retires then return REPLACED end
  if now >= r.absolute then return EXPIRED end
  if now >= r.deadline then return IDLE end
end

local function is_kept(r) return r and not r.fault and not r.revoked end
local function is_current(r) return is_kept(r) and not r.successor and not ended(r) end
local function is_forgotten(r) return not r or r.revoked end

-- Has a user's index hold a session, and live at least as long as the sessions in it.
local function add_to_index(at, id, issued, till)
  redis.call('ZADD', KEYS[at], issued, id)
  local left = redis.call('PTTL', KEYS[at])
  if left == -1 or (left >= 0 and now + left < till) then
    redis.call('PEXPIREAT', KEYS[at], till)
  end
end

-- In one write: a server that refuses half of it would leave a damaged record.
local function retire(r, grace, successor)
  r.retires = math.min(now + grace, LATEST)
  local at = r.at
  local text = redis.call('GETRANGE', KEYS[at], 0, -1)
  text = string.sub(text, 1, 2) .. string.char(r.flags + RETIRED) .. string.sub(text, 4)
    .. bytes_of(r.retires) .. successor
  redis.call('SET', KEYS[at], text, 'PXAT', kept_until(r))
end

-- Puts the reason in the place of a record.
local function overwrite(at, r, reason)
  local till
  if r.fault then
    local left = redis.call('PTTL', KEYS[at])
    till = math.floor(now + (left >= 0 and left or MONTH))
  else
    till = math.max(r.absolute, kept_until(r))
  end
  local text = string.char(1, reason, 0) .. bytes_of(now) .. bytes_of(till)
  redis.call('SET', KEYS[at], text, 'PXAT', till)
end

local function overwrite_all(given, line, reason)
  local ids = {}
  for i, found in ipairs(line) do
    overwrite(given[found.id], found.record, reason)
    ids[i] = found.id
  end
  return ids
end

local function forget(at, ids)
  for _, id in ipairs(ids) do redis.call('ZREM', KEYS[at], id) end
end
