-- Makes the demo's data, the same each time, from nothing but this file:
--   lua5.4 generate.lua book > book.txt
--   lua5.4 generate.lua city > city.json
local seed = 1187
local function random(n)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed // 65536 % n + 1
end

local tale = [[
The moat lay still around the old house and the water kept its own counsel .
Every guest who came to the gate was asked his name and given a room with a thick
door . The host was a patient man and he had seen the roof fall twice . When a
guest burned his bed the host wrote down the hour and the room and the reason and
gave the ashes to the river . In winter the water froze and the children walked on
it in spite of the sign . A traveller said that no wall is high enough for a man
who digs . The host said that a wall is only a way of asking a question slowly .
The cook kept a list of all the dishes that had ever been sent back . She read it
aloud on long evenings and the guests laughed until one of them was found to be on
it . The river went on past the mill and the mill went on without the river for a
year . Nobody knew who had dug the moat first but the spade still hung in the hall .
At night the frogs sang of the house as if it were the moon . One guest ran around
the courtyard without end and the porter stopped him at the stroke of twelve . One
guest ate all there was and then asked for the table . One guest walked through
the window where there was no window . The house stood . The host counted the
rooms in the morning and there were as many as before . A bridge is a promise that
the water has to keep . The old woman by the well said the deep places are the
honest ones . Her son drew maps of countries that were not there and sold them to
people who went anyway . The clock in the tower told the time to nobody in
particular . When the storm came the shutters spoke to each other all along the
front . The host lit the lamps and walked from door to door and listened . Behind
each door someone was breathing and that was enough . In spring the carpenter came
and mended what could be mended and wrote a bill for the rest . The apple trees
leaned over the water to see how they were getting on . A letter arrived for a guest
who had left long before and it was kept with the others . Some say the letters
answer each other in the drawer . The road to the house was long and it was longer
on the way back . Those who stayed learned to tell the hour by the colour of the
water and those who left remembered it .
]]

local function book()
    local words, follow = {}, {}
    for word in tale:gmatch("%S+") do words[#words + 1] = word end
    for i = 1, #words do
        local key = words[i]
        follow[key] = follow[key] or {}
        table.insert(follow[key], words[i % #words + 1])
    end
    local word, line, out = "The", "", {}
    for n = 1, 26000 do
        local glue = (word == "." or line == "") and "" or " "
        if #line + #word > 76 and word ~= "." then
            out[#out + 1], line, glue = line, "", ""
        end
        line = line .. glue .. word
        if word == "." and n % 97 == 0 then
            out[#out + 1], line = line, ""
            out[#out + 1] = ""
        end
        word = follow[word][random(#follow[word])]
    end
    io.write(table.concat(out, "\n"), "\n", line, "\n")
end

local function city()
    local first = {"Ada", "Bo", "Cl\\u00e9o", "Dag", "Eva", "Finn", "Grete", "Hal",
                   "Ines", "J\\u00f6rg", "Kim", "Lou"}
    local kinds = {"bakery", "smithy", "home", "mill", "inn", "school"}
    local out, houses, people, length = {}, 0, 0, 0
    local function add(...) out[#out + 1] = string.format(...) end
    add('{"name": "Wasserburg \\u2014 na\\u00efve \\ud83c\\udff0",\n "streets": [\n')
    for s = 1, 60 do
        local metres = random(900) + random(100) / 128
        length = length + metres
        add('  {"id": %d, "length": %.7f, "paved": %s, "houses": [\n', s, metres,
            random(2) == 1 and "true" or "false")
        local count = random(12)
        for h = 1, count do
            houses = houses + 1
            local names = {}
            for p = 1, random(6) do
                people = people + 1
                names[p] = string.format('{"name": "%s", "age": %d}',
                                         first[random(#first)], random(95))
            end
            add('    {"number": %d, "kind": "%s", "at": [%.4f, %.4f], "tax": %de-2,\n',
                h * 2 - 1, kinds[random(#kinds)], 48 + random(9999) / 10000,
                12 + random(9999) / 10000, random(99999))
            add('     "note": %s,\n     "people": [%s]}%s\n',
                random(3) == 1 and '"said \\"no\\"\\n\\tand left"' or "null",
                table.concat(names, ", "), h < count and "," or "")
        end
        add('  ]}%s\n', s < 60 and "," or "")
    end
    add(' ],\n "totals": {"streets": 60, "houses": %d, "people": %d, "length": %.7f}}\n',
        houses, people, length)
    io.write(table.concat(out))
end

local makers = {book = book, city = city}
makers[arg[1]]()
