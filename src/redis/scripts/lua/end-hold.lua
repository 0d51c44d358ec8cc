-- Ends the part of one change in a hold. The last one removes the key, so that it may be loaded again; a generation that
-- is not there is a new one for the next load. A hold that other changes are part of stays, and is written, so that all
-- who watch the key learn of this change.
-- KEYS[1]  the key or the generation
-- ARGV[1]  what hold-key.lua answered: the window (4 bytes) and the identity of the hold (3 bytes)
-- ARGV[2]  length of a window in milliseconds
-- ARGV[3]  channel to publish the change on, '' = publish nothing
-- ARGV[4]  message to publish
-- Returns  1; or 0 if the hold had ended before, so that others may have stored something. That is removed, too.
-- GETEX reads without tracking the key, so this connection gets no invalidation for its own write.
if redis.replicate_commands then
  redis.replicate_commands()
end
local key = KEYS[1]
local current = redis.pcall('GETEX', key)
local isHold = type(current) == 'string' and #current == 42 and string.sub(current, 13, 16) == '\255\255\255\255'
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
return isOurs and 1 or 0
