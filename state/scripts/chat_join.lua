-- A socket enters a room, once.
-- KEYS: session, members, counts. ARGV: room, player, rooms a socket may be in.
-- Returns 1, or 0 when the socket is in as many rooms as it may be.
local session, members, counts = unpack(KEYS)
local room, player = ARGV[1], ARGV[2]
if redis.call('HEXISTS', session, room) == 1 then
  return 1
end
if redis.call('HLEN', session) >= tonumber(ARGV[3]) then
  return 0
end
redis.call('HSET', session, room, player)
redis.call('HINCRBY', counts, player, 1)
redis.call('ZADD', members, 'NX', now_ms(), player)
return 1
