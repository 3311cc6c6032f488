-- expect: memory limit
-- Doubles a string until there is no memory left.
local bomb = "boom!"
while true do
    bomb = bomb .. bomb
end
