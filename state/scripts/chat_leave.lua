-- A socket leaves rooms; with a player's last one the player does.
-- KEYS: session, then members and counts of each room. ARGV: the rooms.
local session = KEYS[1]
for i, room in ipairs(ARGV) do
  local members, counts = KEYS[2 * i], KEYS[2 * i + 1]
  local player = redis.call('HGET', session, room)
  if player then
    redis.call('HDEL', session, room)
    if redis.call('HINCRBY', counts, player, -1) <= 0 then
      redis.call('HDEL', counts, player)
      redis.call('ZREM', members, player)
    end
  end
end
