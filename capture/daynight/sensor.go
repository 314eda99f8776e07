package daynight

import "time"

// sensor is what is known of the ambient light sensor. Its word alone never
// moves the filter: it says when a look is worth it, and spares looks while it
// is dark.
type sensor struct {
	Answered bool          `json:"answered"`
	Last     time.Duration `json:"last"`  // last answer
	First    time.Duration `json:"first"` // first answer of the present value
	Value    float64       `json:"value"`
	Min      float64       `json:"min"`
	Max      float64       `json:"max"`
	Need     float64       `json:"need"`   // reading from which a look is worth it; grows when it was wrong
	Fooled   int           `json:"fooled"` // looks in a row that it asked for in vain
}

// learn takes note of a reading.
func (s *sensor) learn(in Input) {
	if !in.HasAmbient {
		return
	}
	v := in.Ambient
	if !s.Answered {
		s.Answered, s.Min, s.Max, s.Value, s.First = true, v, v, v, in.At
	}
	if v != s.Value {
		s.Value, s.First = v, in.At
	}
	s.Last = in.At
	s.Min, s.Max = min(s.Min, v), max(s.Max, v)
}

// trusted says whether the sensor was seen to tell light from dark.
func (s *sensor) trusted() bool { return s.Max >= 4*s.Min && s.Max > s.Need && s.Fooled < 3 }

// constant says whether the sensor has not moved for longer than any night.
func (s *sensor) constant(now time.Duration) bool { return now-s.First > constantFor }

// day says whether the sensor hints at day.
func (s *sensor) day(in Input) bool {
	return in.HasAmbient && in.Ambient >= s.Need && !s.constant(in.At)
}

// failed: the picture was dark although the sensor may have said otherwise.
func (s *sensor) failed(in Input) {
	if s.day(in) {
		s.Need = min(1e9, 1.5*in.Ambient)
		s.Fooled++
	}
}

// dayBegan: the picture confirmed. What the sensor was asked for recovers.
func (s *sensor) dayBegan(need float64) {
	s.Fooled = 0
	s.Need = max(need, s.Need/2)
}
