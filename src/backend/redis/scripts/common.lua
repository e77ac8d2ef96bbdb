-- Comes before every script. Positions and codes are those of record.rs; all times are in ms.
-- Scripts look first and change afterwards: where Redis refuses a look, nothing has been changed.
-- Every key that a script touches is among its KEYS: while a slot of a Cluster moves, the server
-- answers TRYAGAIN unless it has all of them, and what is not there is really gone. A script that
-- finds out that it needs more says 'again' and which, and changes nothing.
local LATEST = 281474976710655
local HEADER, TAIL, RETIRED = 59, 30, 4
local REPLACED, EXPIRED, IDLE, SESSION_KEY_EXPIRED = 3, 4, 5, 6
local NEWER, CORRUPT = 'newer', 'corrupt'
-- For a damaged record that has no expiry: the longest that a session lasts by default.
local MONTH = 30 * 24 * 60 * 60 * 1000
-- For how long after its idle deadline a session is kept at least: see `Record::kept_until`.
local KEPT_FOR_LATE_USES = 6 * 60 * 60 * 1000

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- ARGV[1] is what the names of all keys of the bucket begin with.

-- The keys of the sessions that this script was given from KEYS[first] on, by the sessions' names.
local function given_from(first)
  local given = {}
  for i = first, #KEYS do given[string.sub(KEYS[i], -24)] = KEYS[i] end
  return given
end

-- The answer that asks for these sessions, if not all of them were given.
local function again_for(given, ids)
  for _, id in ipairs(ids) do
    if not given[id] then return { 'again', ids } end
  end
end

-- `text` is the start of what is kept under `key`, or all of it where there is no key yet.
local function parse(key, text)
  local version, state, flags = string.byte(text, 1, 3)
  if version and version > 1 and version < 32 then return { fault = NEWER } end
  if version ~= 1 or not flags then return { fault = CORRUPT } end
  local is_reason = state >= 1 and state <= REPLACED or state == SESSION_KEY_EXPIRED
  if is_reason and #text == 15 then
    local _, till = struct.unpack('>I6I6', text, 4)
    return { revoked = true, reason = state, till = till }
  end
  if state ~= 0 or #text < HEADER then return { fault = CORRUPT } end
  local r = { flags = flags, key = key, header = text }
  r.issued, r.absolute, r.idle, r.deadline, r.used = struct.unpack('>I6I6I6I6I6', text, 4)
  r.user, r.names = string.sub(text, 34, 55), struct.unpack('>I4', text, 56)
  if bit.band(flags, RETIRED) ~= 0 then
    local length = key and redis.call('STRLEN', key) or #text
    if length < HEADER + TAIL then return { fault = CORRUPT } end
    local tail = key and redis.call('GETRANGE', key, -TAIL, -1) or string.sub(text, -TAIL)
    r.retires, r.successor = struct.unpack('>I6', tail), string.sub(tail, 7)
    if r.retires == 0 then r.retires = nil end
  end
  return r
end

-- What is kept under a session's key, without names and data; nil if nothing is.
local function look(key)
  local text = redis.pcall('GETRANGE', key, 0, HEADER - 1)
  if type(text) == 'table' then
    -- That the user may not read it, for one, says nothing of what is there.
    if not string.find(text.err, 'WRONGTYPE', 1, true) then error(text.err) end
    return { fault = CORRUPT }
  end
  if text == '' and redis.call('EXISTS', key) == 0 then return nil end
  return parse(key, text)
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
local function add_to_index(index, id, issued, till)
  redis.call('ZADD', index, issued, id)
  local left = redis.call('PTTL', index)
  if left == -1 or (left >= 0 and now + left < till) then
    redis.call('PEXPIREAT', index, till)
  end
end

local function retire(r, grace, successor)
  r.retires = math.min(now + grace, LATEST)
  redis.call('SETRANGE', r.key, 2, string.char(r.flags + RETIRED))
  redis.call('APPEND', r.key, struct.pack('>I6', r.retires) .. successor)
  redis.call('PEXPIREAT', r.key, kept_until(r))
end

-- Puts the reason in the place of a record.
local function overwrite(key, r, reason)
  local till
  if r.fault then
    local left = redis.call('PTTL', key)
    till = now + (left >= 0 and left or MONTH)
  else
    till = math.max(r.absolute, kept_until(r))
  end
  local text = string.char(1, reason, 0) .. struct.pack('>I6I6', now, till)
  redis.call('SET', key, text, 'PXAT', till)
end

local function overwrite_all(given, line, reason)
  local ids = {}
  for i, found in ipairs(line) do
    overwrite(given[found.id], found.record, reason)
    ids[i] = found.id
  end
  return ids
end

local function forget(index, ids)
  for _, id in ipairs(ids) do redis.call('ZREM', index, id) end
end

-- Links hear a master's own channel at that master only, and the common one at all of them. A call
-- that was sent on to another server than the one it was meant for uses the common one: links may
-- not reach that server yet.
local function announce(ids)
  if #ids == 0 then return end
  local channel, master = string.match(ARGV[2], '^(%S+) ?(%S*)$')
  if master ~= '' and redis.pcall('CLUSTER', 'MYID') == master then
    channel = channel .. ':' .. master
  end
  redis.call('PUBLISH', channel, '\1' .. table.concat(ids))
end
