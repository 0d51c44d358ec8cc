-- Renews a generation. An invalidation draws another identity, which makes every entry with the old one invalid. An
-- expiry keeps the identity and renews the time, which makes such entries stale. See generation-value.ts for the form. A
-- full Redis (maxmemory-policy noeviction) refuses the write; then the generation is removed, which invalidates them.
-- KEYS[1]  the generation
-- ARGV[1]  8 random bytes
-- ARGV[2]  its shortest time to live in milliseconds; if more is left of the old one, the new one gets that, since it
--          will be used for entries that live as long
-- ARGV[3]  '' = invalidate; otherwise expire, spread over so many milliseconds
-- ARGV[4]  the cause, 96 bytes; '' = none is given
-- ARGV[5]  channel to publish the change on, '' = publish nothing
-- ARGV[6]  message to publish
-- Returns  the new generation (16 bytes), stored or not; sixteen zeros if it is held (hold-key.lua): no entry is valid
--          then, and the hold stays
if redis.replicate_commands then
  redis.replicate_commands()
end
-- 400 days. No cache gives more; a key with more would make Redis refuse the new time to live.
local longest = 34560000000
-- The pause after which an expiry begins another series, in microseconds.
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
-- No command that may write comes before the SET: after one, a full Redis would let the script take more memory.
local current = redis.pcall('GETRANGE', KEYS[1], 0, 132)
local size = type(current) == 'string' and #current or 0
local generation, reply
if size == 42 and string.sub(current, 13, 16) == '\255\255\255\255' then
  generation = string.rep('\0', 16)
  -- Changes nothing, but tells all who watch the key.
  reply = { ok = redis.call('SETRANGE', KEYS[1], 27, '\0') }
else
  if ARGV[3] ~= '' and (size == 16 or size == 132) then
    local last = timeAt(current, 1)
    identity = string.sub(current, 9, 16)
    -- The clock may have been set back. No two renewals have the same time.
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
    local cause = ARGV[4] ~= '' and ARGV[4] or string.rep('\0', 96)
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
return generation
