-- Marks a key, or a generation, as being changed: replaces what it holds by a hold, or joins the hold that is there. See
-- hold-mark.ts for its form. Nothing is stored under a held key, or bound to a held generation, until the hold ends.
-- KEYS[1]  the key or the generation
-- ARGV[1]  3 random bytes that identify a new hold
-- ARGV[2]  how long to hold, in milliseconds, at most a window
-- ARGV[3]  length of a window in milliseconds
-- ARGV[4]  channel to publish the change on, '' = publish nothing
-- ARGV[5]  message to publish
-- Returns  what end-hold.lua needs: the window (4 bytes) and the identity of the hold (3 bytes)
-- GETEX reads without tracking the key, so this connection gets no invalidation for its own SET.
if redis.replicate_commands then
  redis.replicate_commands()
end
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window = math.floor(now / tonumber(ARGV[3]))
local id, inWindow, before, remaining = ARGV[1], 0, 0, tonumber(ARGV[2])
local current = redis.pcall('GETEX', key)
if type(current) == 'string' and #current == 42 and string.sub(current, 13, 16) == '\255\255\255\255' then
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
local token = '\255\255\255\255' .. counts .. id .. '\0'
local hold = '\2\1' .. string.rep('\0', 10) .. token .. string.format('%014.0f', now + remaining)
redis.call('SET', key, hold, 'PX', string.format('%.0f', remaining))
if ARGV[4] ~= '' then
  redis.pcall('PUBLISH', ARGV[4], ARGV[5])
end
return struct.pack('>I4', window) .. id
