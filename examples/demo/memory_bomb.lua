-- expect: memory limit
-- Doubles a string until its memory limit.
local bomb = "boom!"
while true do
    bomb = bomb .. bomb
end
