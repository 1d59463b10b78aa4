-- Rooms with something to archive, for one archiver until its lease is over.
-- KEYS: dirty. ARGV: the lease in ms, how many.
local now = now_ms()
local rooms = redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[2])
for _, room in ipairs(rooms) do
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[1]), room)
end
return rooms
