package sensor

import (
	"context"
	"path/filepath"
	"strings"
)

// Discover finds a temperature sensor that gives a plausible reading; see the function of that name.
func (s System) Discover() (Sensor, error) {
	for _, spec := range s.candidates() {
		found, err := s.Open(spec)
		if err != nil {
			continue
		}
		if v, err := found.Read(context.Background()); err == nil && plausible(v) {
			return found, nil
		}
	}
	return nil, ErrNone
}

// plausible keeps out inputs that are wired to nothing: they read -273, -128, 0 or 255.
func plausible(celsius float64) bool {
	return celsius > -60 && celsius < 150 && celsius != 0
}

// candidates are specs by folder name, which is unique, in order of preference.
func (s System) candidates() []string {
	var specs []string
	for _, dir := range s.folders("sys/bus/iio/devices", "iio:device*") {
		specs = append(specs, filepath.Base(dir)+"/temp")
	}
	for _, dir := range s.folders("sys/class/hwmon", "hwmon*") {
		inputs, _ := filepath.Glob(filepath.Join(dir, "temp*_input"))
		sortNumbered(inputs)
		for _, input := range inputs {
			specs = append(specs, "hwmon:"+filepath.Base(dir)+"/"+strings.TrimSuffix(filepath.Base(input), "_input"))
		}
	}
	for _, dir := range s.folders("sys/class/thermal", "thermal_zone*") {
		specs = append(specs, "thermal:"+filepath.Base(dir))
	}
	return specs
}
