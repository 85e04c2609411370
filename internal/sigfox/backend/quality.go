package backend

// LQI is the link quality indicator of a reception: 0 LIMIT, 1 AVERAGE, 2 GOOD, 3 EXCELLENT, 4 NA (reference, section 12).
func (r *Radio) LQI() int { return r.lqi() }
