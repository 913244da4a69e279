// Package config has the types that the rules of gitleaks are made of, without what they need to run.
package config

import "github.com/zricethezav/gitleaks/v8/regexp"

type AllowlistMatchCondition int

const (
	AllowlistMatchOr AllowlistMatchCondition = iota
	AllowlistMatchAnd
)

type Allowlist struct {
	Description    string
	MatchCondition AllowlistMatchCondition
	Commits        []string
	Paths          []*regexp.Regexp
	RegexTarget    string
	Regexes        []*regexp.Regexp
	StopWords      []string
}

func (a *Allowlist) ContainsStopWord(string) (bool, string) { return false, "" }

type Required struct {
	RuleID        string
	WithinLines   *int
	WithinColumns *int
}

type Rule struct {
	RuleID        string
	Description   string
	Entropy       float64
	SecretGroup   int
	Regex         *regexp.Regexp
	Path          *regexp.Regexp
	Tags          []string
	Keywords      []string
	Allowlists    []*Allowlist
	RequiredRules []*Required
	SkipReport    bool
}
