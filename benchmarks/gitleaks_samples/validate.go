// Package utils prints the samples of a rule in place of trying them.
package utils

import (
	"encoding/json"
	"maps"
	"os"
	"slices"

	"github.com/zricethezav/gitleaks/v8/config"
)

func Validate(rule config.Rule, found []string, other []string) *config.Rule {
	line, _ := json.Marshal(map[string]any{"id": rule.RuleID, "found": found, "other": other})
	os.Stdout.Write(append(line, '\n'))
	return &rule
}

func ValidateWithPaths(rule config.Rule, found map[string]string, other map[string]string) *config.Rule {
	return Validate(rule, slices.Collect(maps.Values(found)), slices.Collect(maps.Values(other)))
}
