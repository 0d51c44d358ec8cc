// Made by `npm run embed:lua` from the files in lua/, which hold the comments.

/** lua/acquire-lease.lua */
export const ACQUIRE_LEASE: string = `if redis.replicate_commands then
redis.replicate_commands()
end
local key, token, lease = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local clock = string.format('%.0f', now)
local head = redis.pcall('GETRANGE', key, 0, 49)
if type(head) == 'table' then
return { 0, 'foreign', clock, '0', '0' }
end
local first = string.byte(head, 1)
local isPlaceholder = first == 2 and #head == 42
local isEntry = first == 1 and #head == 50 and string.byte(head, 2) == 1 and math.floor(string.byte(head, 8) / 2) % 4 == 3
local remaining, fruitless = 0, 0
if isPlaceholder and string.sub(head, 13, 16) == '\\255\\255\\255\\255' then
return { 0, 'changing', clock, '0', '0' }
end
if isPlaceholder or isEntry then
fruitless = string.byte(head, 28)
remaining = (tonumber(string.sub(head, 29, 42)) or 0) - now
if remaining > tonumber(ARGV[3]) then
remaining = 0
end
end
local held, last = 'held', tostring(fruitless)
if string.sub(head, 13, 27) == string.rep('\\0', 15) then
held, last = 'paused', string.format('%.0f', isPlaceholder and tonumber(string.sub(head, 3, 12)) or 0)
if ARGV[6] ~= '1' then
remaining = 0
end
end
local granted = string.sub(token, 1, 15) .. string.char(fruitless) .. string.format('%014.0f', now + lease)
if isPlaceholder and remaining > 0 and (held == 'held' or ARGV[4] == '') then
return { 0, held, clock, string.format('%.0f', remaining), last }
end
if isPlaceholder or redis.call('EXISTS', key) == 0 then
if ARGV[4] ~= '' then
return { 0, 'changed', clock, '0', '0' }
end
else
local stamp = isEntry and string.sub(head, 43, 50) or redis.sha1hex(redis.call('GET', key))
if stamp ~= ARGV[4] then
return { 0, 'changed', clock, '0', '0' }
end
if ARGV[5] == 'refresh' and isEntry then
if remaining > 0 then
return { 0, held, clock, string.format('%.0f', remaining), last }
end
redis.call('SETRANGE', key, 12, granted)
return { 0, 'acquired', clock, '0', tostring(fruitless) }
end
end
redis.call('SET', key, '\\2\\1' .. string.rep('\\0', 10) .. granted, 'PX', lease)
return { 0, 'acquired', clock, '0', tostring(fruitless) }`

/** lua/add-to-set.lua */
export const ADD_TO_SET: string = `local set, ttl = KEYS[1], ARGV[1]
local head = redis.pcall('GETRANGE', set, 0, 42)
if type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2 then
redis.call('UNLINK', set)
end
local created = redis.call('EXISTS', set) == 0
local added = redis.pcall('SADD', set, unpack(ARGV, 5))
if type(added) == 'table' then
return added
end
if ttl ~= '' and (created or ARGV[2] == '1') then
redis.call('PEXPIRE', set, ttl)
end
if ttl == '' and not created and ARGV[2] == '1' then
redis.call('PERSIST', set)
end
if ARGV[3] ~= '' then
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
end
return added`

/** lua/bump-generation.lua */
export const BUMP_GENERATION: string = `if redis.replicate_commands then
redis.replicate_commands()
end
local longest = 34560000000
local pause = 60000000
local function toBytes(microseconds)
return struct.pack('>I4I4', math.floor(microseconds / 1000000), microseconds % 1000000)
end
local function timeAt(value, at)
local seconds, microseconds = struct.unpack('>I4I4', value, at)
return seconds * 1000000 + microseconds
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local identity, start, before, over = ARGV[1], 0, 0, 0
local ttl = math.min(math.max(tonumber(ARGV[2]), redis.call('PTTL', KEYS[1])), longest)
local current = redis.pcall('GETRANGE', KEYS[1], 0, 132)
local size = type(current) == 'string' and #current or 0
local generation, reply
if size == 42 and string.sub(current, 13, 16) == '\\255\\255\\255\\255' then
generation = string.rep('\\0', 16)
reply = { ok = redis.call('SETRANGE', KEYS[1], 27, '\\0') }
else
if ARGV[3] ~= '' and (size == 16 or size == 132) then
local last = timeAt(current, 1)
identity = string.sub(current, 9, 16)
now = math.max(now, last + 1)
start, before, over = now, last, tonumber(ARGV[3])
if size == 132 and timeAt(current, 17) > 0 then
local spread = struct.unpack('>I4', current, 33)
if now - last <= math.max(spread * 1000, pause) then
start, before, over = timeAt(current, 17), timeAt(current, 25), math.min(over, spread)
end
end
end
generation = toBytes(now) .. identity
local value = generation
if start > 0 or ARGV[4] ~= '' then
local cause = ARGV[4] ~= '' and ARGV[4] or string.rep('\\0', 96)
value = generation .. toBytes(start) .. toBytes(before) .. struct.pack('>I4', over) .. cause
end
reply = redis.pcall('SET', KEYS[1], value, 'PX', string.format('%.0f', ttl))
end
if reply.err and string.find(reply.err, 'OOM', 1, true) then
redis.call('UNLINK', KEYS[1])
elseif reply.err then
return reply
end
if ARGV[5] ~= '' then
redis.pcall('PUBLISH', ARGV[5], ARGV[6])
end
return generation`

/** lua/capture-generation.lua */
export const CAPTURE_GENERATION: string = `if redis.replicate_commands then
redis.replicate_commands()
end
local key = KEYS[1]
local current = redis.pcall('GETEX', key)
if type(current) == 'string' and #current == 42 and string.sub(current, 13, 16) == '\\255\\255\\255\\255' then
redis.call('GET', key)
return string.rep('\\0', 16)
end
if type(current) ~= 'string' or (#current ~= 16 and #current ~= 132) then
local time = redis.call('TIME')
redis.call('SET', key, struct.pack('>I4I4', time[1], time[2]) .. ARGV[1], 'PX', ARGV[2])
elseif redis.call('PTTL', key) < tonumber(ARGV[2]) / 2 then
redis.call('PEXPIRE', key, ARGV[2])
end
return redis.call('GET', key)`

/** lua/compare-and-set.lua */
export const COMPARE_AND_SET: string = `local key, expected, value, ttl = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local current = redis.pcall('GET', key)
if type(current) == 'table' then
return current
end
if current and current ~= '' then
if current == value then
if redis.call('PTTL', key) < tonumber(ttl) / 2 then
redis.call('PEXPIRE', key, ttl)
end
return ''
end
if redis.sha1hex(current) ~= expected then
return current
end
end
redis.call('SET', key, value, 'PX', ttl)
return ''`

/** lua/end-hold.lua */
export const END_HOLD: string = `if redis.replicate_commands then
redis.replicate_commands()
end
local key = KEYS[1]
local current = redis.pcall('GETEX', key)
local isHold = type(current) == 'string' and #current == 42 and string.sub(current, 13, 16) == '\\255\\255\\255\\255'
local isOurs = isHold and string.sub(current, 25, 27) == string.sub(ARGV[1], 5, 7)
if isOurs then
local joined = struct.unpack('>I4', ARGV[1])
local last, inWindow, before = struct.unpack('>I4I2I2', current, 17)
if joined == last then
inWindow = math.max(inWindow - 1, 0)
elseif joined == last - 1 then
before = math.max(before - 1, 0)
end
local time = redis.call('TIME')
local window = math.floor((time[1] * 1000 + math.floor(time[2] / 1000)) / tonumber(ARGV[2]))
if window > last then
before = 0
end
if inWindow + before == 0 then
redis.call('UNLINK', key)
else
redis.call('SETRANGE', key, 20, struct.pack('>I2I2', inWindow, before))
end
elseif not isHold then
redis.call('UNLINK', key)
end
if ARGV[3] ~= '' then
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
end
return isOurs and 1 or 0`

/** lua/expire-key.lua */
export const EXPIRE_KEY: string = `local key, ttl = KEYS[1], ARGV[1]
local head = redis.pcall('GETRANGE', key, 0, 42)
if type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2 then
return 0
end
if redis.call('EXISTS', key) == 0 then
return 0
end
local changed = ttl == '' and redis.pcall('PERSIST', key) or redis.pcall('PEXPIRE', key, ttl)
if type(changed) == 'table' then
return changed
end
if ARGV[2] ~= '' then
redis.pcall('PUBLISH', ARGV[2], ARGV[3])
end
return 1`

/** lua/fill-entry.lua */
export const FILL_ENTRY: string = `if redis.replicate_commands then
redis.replicate_commands()
end
local key, kind, mark = KEYS[1], ARGV[1], ARGV[2]
local current = redis.pcall('GETEX', key)
if type(current) ~= 'string' then
return 0
end
if kind == 'entry' then
local isEntry = string.byte(current, 1) == 1 and #current >= 50 and string.byte(current, 2) == 1
and math.floor(string.byte(current, 8) / 2) % 4 == 3
if not isEntry or string.sub(current, 43, 50) ~= mark then
return 0
end
elseif string.sub(current, 13, 28) ~= mark then
return 0
elseif kind == 'reservation' then
if #current ~= 42 or string.byte(current, 1) ~= 2 then
return 0
end
else
local time = redis.call('TIME')
if (tonumber(string.sub(current, 29, 42)) or 0) < time[1] * 1000 + math.floor(time[2] / 1000) then
return 0
end
end
if ARGV[4] == '' then
redis.call('SET', key, ARGV[3])
else
redis.call('SET', key, ARGV[3], 'PX', ARGV[4])
end
if ARGV[5] ~= '' then
redis.pcall('PUBLISH', ARGV[5], ARGV[6])
end
redis.call('STRLEN', key)
return 1`

/** lua/hold-key.lua */
export const HOLD_KEY: string = `if redis.replicate_commands then
redis.replicate_commands()
end
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window = math.floor(now / tonumber(ARGV[3]))
local id, inWindow, before, remaining = ARGV[1], 0, 0, tonumber(ARGV[2])
local current = redis.pcall('GETEX', key)
if type(current) == 'string' and #current == 42 and string.sub(current, 13, 16) == '\\255\\255\\255\\255' then
local last, joined, earlier = struct.unpack('>I4I2I2', current, 17)
if last >= window then
window, inWindow, before = last, joined, earlier
elseif last == window - 1 then
before = joined
end
id = string.sub(current, 25, 27)
remaining = math.max(remaining, redis.call('PTTL', key))
end
local counts = struct.pack('>I4I2I2', window, math.min(inWindow + 1, 65535), before)
local token = '\\255\\255\\255\\255' .. counts .. id .. '\\0'
local hold = '\\2\\1' .. string.rep('\\0', 10) .. token .. string.format('%014.0f', now + remaining)
redis.call('SET', key, hold, 'PX', string.format('%.0f', remaining))
if ARGV[4] ~= '' then
redis.pcall('PUBLISH', ARGV[4], ARGV[5])
end
return struct.pack('>I4', window) .. id`

/** lua/increment-counters.lua */
export const INCREMENT_COUNTERS: string = `local pcall = redis.pcall
local replies, isChanged = {}, false
local areThere = redis.call('EXISTS', unpack(KEYS)) == #KEYS
local index = 0
for at = 3, #ARGV, 6 do
local amount, start, ttl = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
local slides, isSafeOnly = ARGV[at + 4] == '1', ARGV[at + 5] == '1'
for _ = 1, tonumber(ARGV[at]) do
index = index + 1
local counter = KEYS[index]
local isNew = not areThere and redis.call('EXISTS', counter) == 0
local count = not isNew and pcall('INCRBY', counter, amount)
if type(count) == 'table' and string.find(count.err, 'ERR', 1, true) == 1 then
local head = pcall('GETRANGE', counter, 0, 42)
if type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2 then
isNew, areThere = pcall('UNLINK', counter) == 1, false
end
end
if isNew then
if ttl == '' then
count = pcall('SET', counter, start)
else
count = pcall('SET', counter, start, 'PX', ttl)
end
if not count.err then
count = pcall('INCRBY', counter, amount)
end
end
local refusal
if type(count) == 'table' then
refusal = count.err
if string.find(refusal, 'ERR', 1, true) == 1 then
if type(pcall('INCRBY', counter, '0')) == 'table' then
refusal = 'NOTACOUNTER the key holds something that is not a 64-bit decimal integer'
else
refusal = 'OVERFLOW the counter would leave 64 bits'
end
elseif not isChanged and string.find(refusal, 'WRONGTYPE', 1, true) ~= 1 then
return count
end
if isNew then
pcall('DEL', counter)
end
elseif count > 9e15 or count < -9e15 then
if not isSafeOnly or (count <= 9007199254740991 and count >= -9007199254740991) then
count = pcall('GET', counter)
refusal = type(count) == 'table' and count.err
else
refusal = 'OVERFLOW the counter would pass 2^53 - 1'
if isNew then
pcall('DEL', counter)
else
pcall('DECRBY', counter, amount)
end
end
end
if not refusal then
isChanged = true
if slides and not isNew then
local renewed
if ttl == '' then
renewed = pcall('PERSIST', counter)
else
renewed = pcall('PEXPIRE', counter, ttl)
end
refusal = type(renewed) == 'table' and renewed.err
end
end
replies[index] = refusal or count
end
end
if isChanged and ARGV[1] ~= '' then
pcall('PUBLISH', ARGV[1], ARGV[2])
end
table.insert(replies, 1, 0)
return replies`

/** lua/key-ttl.lua */
export const KEY_TTL: string = `local key = KEYS[1]
local head = redis.pcall('GETRANGE', key, 0, 42)
if type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2 then
return -2
end
return redis.call('PTTL', key)`

/** lua/keys-present.lua */
export const KEYS_PRESENT: string = `local present = {}
for index, key in ipairs(KEYS) do
local size = redis.pcall('SETRANGE', key, 0, '')
local isRefused = type(size) == 'table' and not string.find(size.err, 'WRONGTYPE', 1, true)
local isThere = true
if isRefused or size == 0 or size == 42 then
local head = size ~= 0 and redis.pcall('GETRANGE', key, 0, 42)
local isPlaceholder = type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2
isThere = not isPlaceholder and redis.call('EXISTS', key) == 1
end
present[index] = isThere and '1' or '0'
end
return table.concat(present)`

/** lua/reclaim-keys.lua */
export const RECLAIM_KEYS: string = `local name = struct.pack('>I2', #ARGV[1]) .. ARGV[1]
local copyName = struct.pack('>I2', #ARGV[1] + 6) .. ARGV[1] .. '{'
local replaced = {}
for at = 3, #ARGV do
replaced[ARGV[at]] = true
end
local doomed, stays, seen = {}, {}, {}
for _, key in ipairs(KEYS) do
local size = redis.pcall('SETRANGE', key, 0, '')
local isSmall = type(size) == 'number' and size <= 4096
local head = isSmall and redis.pcall('GETEX', key) or redis.pcall('GETRANGE', key, 0, 4095)
local generation
if type(head) == 'string' and string.byte(head, 1) == 1 and #head >= 12 then
local headerBytes = string.byte(head, 5) * 256 + string.byte(head, 6)
if headerBytes > #head then
head = redis.call('GETRANGE', key, 0, headerBytes - 1)
end
local header = string.sub(head, 1, headerBytes)
local _, last = string.find(header, name, 1, true)
if not last then
_, last = string.find(header, copyName, 1, true)
last = last and last + 5
end
generation = last and string.sub(head, last + 1, last + 16)
end
if generation then
if replaced[generation] then
doomed[#doomed + 1] = key
elseif not seen[generation] then
seen[generation] = true
stays[#stays + 1] = generation
end
elseif ARGV[2] == '1' and not (type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2) then
doomed[#doomed + 1] = key
end
end
local removed = #doomed > 0 and redis.call('UNLINK', unpack(doomed)) or 0
return struct.pack('>I2', removed) .. table.concat(stays)`

/** lua/release-lease.lua */
export const RELEASE_LEASE: string = `if redis.replicate_commands then
redis.replicate_commands()
end
local key, pause = KEYS[1], tonumber(ARGV[3])
local head = redis.pcall('GETRANGE', key, 0, 41)
if type(head) == 'table' or #head < 42 or string.sub(head, 13, 27) ~= string.sub(ARGV[1], 1, 15) then
return 0
end
local fruitless = 0
if ARGV[2] ~= '' then
fruitless = string.byte(head, 28) % 255 + 1
end
local nobody = string.rep('\\0', 15) .. string.char(fruitless)
local free = nobody .. string.rep('\\0', 14)
if string.byte(head, 1) ~= 2 then
if fruitless > 0 and pause > 0 then
local time = redis.call('TIME')
free = nobody .. string.format('%014.0f', time[1] * 1000 + math.floor(time[2] / 1000) + pause)
end
redis.call('SETRANGE', key, 12, free)
elseif fruitless > 0 then
redis.call('SET', key, string.sub(head, 1, 12) .. free, 'PX', ARGV[2])
else
redis.call('UNLINK', key)
end
return 1`

/** lua/remove-from-set.lua */
export const REMOVE_FROM_SET: string = `local removed = redis.pcall('SREM', KEYS[1], ARGV[1])
if type(removed) == 'table' then
return removed
end
redis.pcall('PUBLISH', ARGV[2], ARGV[3])
return removed`

/** lua/remove-keys.lua */
export const REMOVE_KEYS: string = `local removed = 0
for _, key in ipairs(KEYS) do
local isPlaceholder = redis.pcall('SETRANGE', key, 0, '') == 42 and string.byte(redis.call('GETRANGE', key, 0, 0)) == 2
if isPlaceholder and redis.call('GETRANGE', key, 12, 15) == '\\255\\255\\255\\255' then
redis.call('SETRANGE', key, 27, '\\0')
elseif redis.call('UNLINK', key) == 1 and not isPlaceholder then
removed = removed + 1
end
end
if ARGV[1] ~= '' then
redis.pcall('PUBLISH', ARGV[1], ARGV[2])
end
return removed`

/** lua/renew-lease.lua */
export const RENEW_LEASE: string = `if redis.replicate_commands then
redis.replicate_commands()
end
local key, lease = KEYS[1], tonumber(ARGV[2])
local head = redis.pcall('GETRANGE', key, 0, 41)
if type(head) == 'table' or string.sub(head, 13, 28) ~= ARGV[1] then
return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if (tonumber(string.sub(head, 29, 42)) or 0) - now < lease * 0.6 then
redis.call('SETRANGE', key, 28, string.format('%014.0f', now + lease))
if string.byte(head, 1) == 2 then
redis.call('PEXPIRE', key, lease)
end
end
return 1`

/** lua/reserve-key.lua */
export const RESERVE_KEY: string = `local key, lifetime, stamp = KEYS[1], tonumber(ARGV[2]), ARGV[3]
local current = redis.pcall('GETEX', key)
if type(current) == 'table' then
return { 0, 'foreign', '' }
end
local token = ARGV[1]
if current then
if #current == 42 and string.byte(current, 1) == 2 then
token = string.sub(current, 13, 28)
if string.sub(token, 1, 4) == '\\255\\255\\255\\255' then
return { 0, 'changing', '' }
end
if string.sub(token, 1, 15) ~= string.rep('\\0', 15) then
if redis.call('PTTL', key) < lifetime then
redis.call('PEXPIRE', key, lifetime)
end
return { 0, 'reserved', token }
end
token = string.sub(ARGV[1], 1, 15) .. string.sub(token, 16)
else
local isEntry = string.byte(current, 1) == 1 and #current >= 50 and string.byte(current, 2) == 1
and math.floor(string.byte(current, 8) / 2) % 4 == 3
if (isEntry and string.sub(current, 43, 50) or redis.sha1hex(current)) ~= stamp then
return { 0, 'changed', '' }
end
end
end
redis.call('SET', key, '\\2\\1' .. string.rep('\\0', 10) .. token .. string.rep('0', 14), 'PX', lifetime)
return { 0, 'reserved', token }`

/** lua/take-value.lua */
export const TAKE_VALUE: string = `local key = KEYS[1]
local bytes = redis.pcall('GET', key)
if type(bytes) ~= 'string' or (#bytes == 42 and string.byte(bytes, 1) == 2) then
return false
end
local removed = redis.pcall('UNLINK', key)
if type(removed) == 'table' then
return removed
end
if ARGV[1] ~= '' then
redis.pcall('PUBLISH', ARGV[1], ARGV[2])
end
return bytes`

/** lua/write-entry.lua */
export const WRITE_ENTRY: string = `if ARGV[2] == '' then
redis.call('SET', KEYS[1], ARGV[1])
else
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
return 1`

/** lua/write-if-absent.lua */
export const WRITE_IF_ABSENT: string = `local key = KEYS[1]
local head = redis.pcall('GETRANGE', key, 0, 42)
local isPlaceholder = type(head) == 'string' and #head == 42 and string.byte(head, 1) == 2
if not isPlaceholder and redis.call('EXISTS', key) == 1 then
return 0
end
local stored
if ARGV[2] == '' then
stored = redis.pcall('SET', key, ARGV[1])
else
stored = redis.pcall('SET', key, ARGV[1], 'PX', ARGV[2])
end
if stored.err then
return stored
end
if ARGV[3] ~= '' then
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
end
return 1`
