package baseline

import "fmt"

// severityNames are the texts of the severities, in their order.
var severityNames = [...]string{"info", "low", "medium", "high", "critical"}

// Severities returns all severities, the least first.
func Severities() []Severity { return []Severity{Info, Low, Medium, High, Critical} }

// String returns the name that files and reports use: info, low, medium, high or critical.
func (s Severity) String() string {
	if !s.valid() {
		return fmt.Sprintf("severity(%d)", int8(s))
	}
	return severityNames[s]
}

func (s Severity) valid() bool { return s >= Info && s <= Critical }

// ParseSeverity is the inverse of Severity.String.
func ParseSeverity(text string) (Severity, error) {
	for i, name := range severityNames {
		if text == name {
			return Severity(i), nil
		}
	}
	return 0, fmt.Errorf("severity %.40q is not one of info, low, medium, high, critical", text)
}

// MarshalText implements encoding.TextMarshaler.
func (s Severity) MarshalText() ([]byte, error) {
	if !s.valid() {
		return nil, fmt.Errorf("%s does not exist", s)
	}
	return []byte(severityNames[s]), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Severity) UnmarshalText(text []byte) error {
	v, err := ParseSeverity(string(text))
	if err != nil {
		return err
	}
	*s = v
	return nil
}
