package simtest

import (
	"math"
	"math/rand/v2"
	"sort"
	"time"
)

const day = 24 * time.Hour

// twilight is the horizontal illuminance in lux of a clear sky by the sun's
// elevation in degrees (log10), moonless. Values as tabulated for clear skies
// in the literature on twilight: 3.4 lx at -6, 0.008 lx at -12, 0.0007 lx
// below -18 degrees.
var twilight = [][2]float64{
	{-90, -3.15}, {-18, -3.15}, {-15, -2.7}, {-12, -2.1}, {-9, -0.9}, {-6, 0.53}, {-5, 1.05}, {-3, 1.85},
	{-0.8, 2.65}, {0, 2.85}, {2, 3.3}, {5, 3.75}, {10, 4.15}, {20, 4.5}, {40, 4.85}, {60, 5.0}, {90, 5.1},
}

func clearSky(elevation float64) float64 {
	i := sort.Search(len(twilight), func(i int) bool { return twilight[i][0] >= elevation })
	if i == 0 {
		i = 1
	}
	a, b := twilight[i-1], twilight[min(i, len(twilight)-1)]
	f := 0.0
	if b[0] > a[0] {
		f = (elevation - a[0]) / (b[0] - a[0])
	}
	return math.Pow(10, a[1]+f*(b[1]-a[1]))
}

// sky is sun, moon and clouds over one place.
type sky struct {
	latitude float64 // degrees
	seed     uint64

	at    time.Duration // of the cached value
	lux   float64
	today int
	wx    weather
}

// weather is drawn once a day.
type weather struct {
	cover  float64 // share of light that the clouds let through, on average
	gust   float64 // how much passing clouds change it, in doublings
	phases [4]float64
	snow   bool
	fog    bool // at night: throws the lamp's light back
	rain   bool // at night: so do drops, by fits
}

func elevation(latitude float64, at time.Duration) (sun float64, declination, hour float64) {
	d := at.Hours() / 24
	declination = -23.44 * math.Cos(2*math.Pi*(d+10)/365.25) * math.Pi / 180
	hour = 2*math.Pi*math.Mod(d, 1) - math.Pi
	lat := latitude * math.Pi / 180
	s := math.Sin(lat)*math.Sin(declination) + math.Cos(lat)*math.Cos(declination)*math.Cos(hour)
	return math.Asin(s) * 180 / math.Pi, declination, hour
}

// daylight returns the illuminance by sun and moon, and the weather that goes with it.
func (s *sky) daylight(at time.Duration) (float64, *weather) {
	if n := int(at / day); n != s.today || s.at == 0 {
		s.today, s.wx = n, drawWeather(s.seed, n)
	}
	if s.at == 0 || at-s.at >= 10*time.Second || at < s.at {
		s.at, s.lux = at, s.compute(at)
	}
	return s.lux, &s.wx
}

func (s *sky) compute(at time.Duration) float64 {
	sun, declination, hour := elevation(s.latitude, at)
	lux := clearSky(sun)
	phase := math.Mod(at.Hours()/24/29.53, 1) // 0 new, 0.5 full
	lat := s.latitude * math.Pi / 180
	up := math.Sin(lat)*math.Sin(-declination*math.Cos(2*math.Pi*phase)*-1) + math.Cos(lat)*math.Cos(declination)*math.Cos(hour-2*math.Pi*phase)
	if up > 0 {
		lit := (1 - math.Cos(2*math.Pi*phase)) / 2
		lux += 0.27 * math.Pow(lit, 1.5) * up
	}
	t, clouds := at.Seconds(), 0.0
	for i, period := range []float64{5400, 1300, 420, 130} {
		clouds += math.Sin(2*math.Pi*t/period + s.wx.phases[i])
	}
	return lux * s.wx.cover * math.Exp2(s.wx.gust*clouds/2)
}

func drawWeather(seed uint64, n int) weather {
	r := rand.New(rand.NewPCG(seed, uint64(n)*2+1))
	w := weather{cover: 1, gust: 0.1}
	switch k := r.Float64(); {
	case k < 0.25:
		w.cover, w.gust = 0.15, 0.4 // overcast
	case k < 0.35:
		w.cover, w.gust, w.rain = 0.06, 0.6, true // rain
	case k < 0.7:
		w.cover, w.gust = 0.6, 0.8 // passing clouds
	}
	for i := range w.phases {
		w.phases[i] = r.Float64() * 2 * math.Pi
	}
	winter := n%365 < 60 || n%365 > 340
	w.snow = winter && r.Float64() < 0.25
	w.fog = !w.rain && r.Float64() < 0.05
	return w
}
