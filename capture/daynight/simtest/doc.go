// Package simtest tries day/night controllers for a year in an evening: a
// closed-loop simulator in its tests holds the sun, the moon and the weather,
// rooms, headlights, snow, fog and spiders, walls that throw the lamp's light
// back, and a camera with automatic exposure, cut filter and lamp.
//
//	go test ./capture/daynight/simtest -run Table -v
//
// scores daynight.Controller beside re-implementations of what other projects
// do, in one table. Everything is deterministic by seed.
//
// What this package does not do: it has no code outside its tests, and its
// numbers are a model's; no real camera was used.
package simtest
