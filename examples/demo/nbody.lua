-- expect: ok
-- The Sun and its four giants for 20,000 steps; the energy must be conserved.
local PI = math.pi
local SOLAR, DAYS = 4 * PI * PI, 365.24
local function body(x, y, z, vx, vy, vz, mass)
    return {x = x, y = y, z = z, vx = vx * DAYS, vy = vy * DAYS,
            vz = vz * DAYS, mass = mass * SOLAR}
end
local bodies = {
    body(0, 0, 0, 0, 0, 0, 1),
    body(4.841, -1.160, -0.1036, 0.001660, 0.007699, -0.0000690, 0.000954791),
    body(8.343, 4.125, -0.4035, -0.002767, 0.004998, 0.0000230, 0.000285885),
    body(12.89, -15.11, -0.2233, 0.002964, 0.002378, -0.0000296, 0.0000436624),
    body(15.38, -25.92, 0.1792, 0.002680, 0.001628, -0.0000951, 0.0000515138),
}

local function rest(all)
    local px, py, pz = 0, 0, 0
    for _, b in ipairs(all) do
        px, py, pz = px + b.vx * b.mass, py + b.vy * b.mass, pz + b.vz * b.mass
    end
    all[1].vx, all[1].vy, all[1].vz = -px / SOLAR, -py / SOLAR, -pz / SOLAR
end

local function energy(all)
    local e = 0
    for i, a in ipairs(all) do
        e = e + 0.5 * a.mass * (a.vx ^ 2 + a.vy ^ 2 + a.vz ^ 2)
        for j = i + 1, #all do
            local b = all[j]
            local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
            e = e - a.mass * b.mass / math.sqrt(dx * dx + dy * dy + dz * dz)
        end
    end
    return e
end

local function advance(all, dt)
    for i = 1, #all do
        local a = all[i]
        for j = i + 1, #all do
            local b = all[j]
            local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
            local d2 = dx * dx + dy * dy + dz * dz
            local mag = dt / (d2 * math.sqrt(d2))
            local ma, mb = a.mass * mag, b.mass * mag
            a.vx, a.vy, a.vz = a.vx - dx * mb, a.vy - dy * mb, a.vz - dz * mb
            b.vx, b.vy, b.vz = b.vx + dx * ma, b.vy + dy * ma, b.vz + dz * ma
        end
    end
    for _, b in ipairs(all) do
        b.x, b.y, b.z = b.x + dt * b.vx, b.y + dt * b.vy, b.z + dt * b.vz
    end
end

rest(bodies)
local before = energy(bodies)
for _ = 1, 20000 do advance(bodies, 0.01) end
local after = energy(bodies)
print(string.format("n-body: energy %.9f, later %.9f", before, after))
assert(before < 0, "the system is bound")
assert(math.abs(after / before - 1) < 1e-4, "energy is conserved")
