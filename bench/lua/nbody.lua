-- Planets around a sun, by a symplectic integrator: floating-point fields of
-- small tables.
--
-- SPDX-License-Identifier: MIT
local STEPS = 400000
local PI = math.pi
local SOLAR_MASS = 4 * PI * PI
local DAYS = 365.24

local function body(x, y, z, vx, vy, vz, mass)
  return {x = x, y = y, z = z, vx = vx * DAYS, vy = vy * DAYS, vz = vz * DAYS,
          mass = mass * SOLAR_MASS}
end

local bodies = {
  body(0, 0, 0, 0, 0, 0, 1),
  body(4.84143144246472090, -1.16032004402742839, -0.103622044471123109,
       0.00166007664274403694, 0.00769901118419740425, -0.0000690460016972063023,
       0.000954791938424326609),
  body(8.34336671824457987, 4.12479856412430479, -0.403523417114321381,
       -0.00276742510726411, 0.00499852801234917238, 0.0000230417297573763929,
       0.000285885980666130812),
  body(12.8943695621391310, -15.1111514016986312, -0.223307578892655734,
       0.00296460137564761618, 0.00237847173959480950, -0.0000296589568540237556,
       0.0000436624404335156298),
  body(15.3796971148509165, -25.9193146099879641, 0.179258772950371181,
       0.00268067772490389322, 0.00162824170038242295, -0.0000951592254519715870,
       0.0000515138902046611451),
}

local function advance(all, dt)
  local n = #all
  for i = 1, n do
    local a = all[i]
    local ax, ay, az, am = a.x, a.y, a.z, a.mass
    local avx, avy, avz = a.vx, a.vy, a.vz
    for j = i + 1, n do
      local b = all[j]
      local dx, dy, dz = ax - b.x, ay - b.y, az - b.z
      local distance2 = dx * dx + dy * dy + dz * dz
      local pull = dt / (distance2 * distance2 ^ 0.5)
      local bm = b.mass * pull
      avx, avy, avz = avx - dx * bm, avy - dy * bm, avz - dz * bm
      local m = am * pull
      b.vx, b.vy, b.vz = b.vx + dx * m, b.vy + dy * m, b.vz + dz * m
    end
    a.vx, a.vy, a.vz = avx, avy, avz
    a.x, a.y, a.z = ax + dt * avx, ay + dt * avy, az + dt * avz
  end
end

local function energy(all)
  local sum = 0
  for i, a in ipairs(all) do
    sum = sum + 0.5 * a.mass * (a.vx ^ 2 + a.vy ^ 2 + a.vz ^ 2)
    for j = i + 1, #all do
      local b = all[j]
      sum = sum - a.mass * b.mass /
        ((a.x - b.x) ^ 2 + (a.y - b.y) ^ 2 + (a.z - b.z) ^ 2) ^ 0.5
    end
  end
  return sum
end

local function rest(all)
  local px, py, pz = 0, 0, 0
  for _, b in ipairs(all) do
    px, py, pz = px + b.vx * b.mass, py + b.vy * b.mass, pz + b.vz * b.mass
  end
  all[1].vx, all[1].vy, all[1].vz =
    -px / SOLAR_MASS, -py / SOLAR_MASS, -pz / SOLAR_MASS
end

rest(bodies)
print(string.format("%.9f", energy(bodies)))
for _ = 1, STEPS do
  advance(bodies, 0.01)
end
print(string.format("%.9f", energy(bodies)))
