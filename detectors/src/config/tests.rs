//! What configurations are refused for.

use super::*;

fn check(text: &str) -> Result<DetectorSettings, Vec<String>> {
    let config: DetectorsConfig = toml::from_str(text).map_err(|e| vec![e.to_string()])?;
    config
        .validate("detectors")
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

#[test]
fn the_default_is_valid_and_survives_toml() {
    let config = DetectorsConfig::default();
    let text = toml::to_string(&config).expect("serialises");
    assert_eq!(toml::from_str::<DetectorsConfig>(&text), Ok(config));
    assert!(check("").is_ok());
}

#[test]
fn every_problem_is_reported_with_its_path() {
    let problems = check(
        "max_tokens = 0\nalpha_signal = 2.0\n[failure_burst]\nmin_share = 3.0\n\
         [[overrides]]\ndetector = \"rate_spike\"\nmode = \"off\"\n\
         [[out_of_scope.policies]]\nconsumers = [\"a\"]\nallow = [{ routes = [\"/v1/{id\"] }]\n",
    )
    .expect_err("invalid");
    let paths: Vec<_> = problems
        .iter()
        .filter_map(|p| p.split(':').next())
        .collect();
    assert_eq!(
        paths,
        [
            "detectors.max_tokens",
            "detectors.alpha_signal",
            "detectors.failure_burst.min_share",
            "detectors.overrides[0]",
            "detectors.out_of_scope.policies[0].allow[0].routes[0]",
        ]
    );
}

#[test]
fn unknown_keys_are_errors() {
    assert!(check("[rate_spike]\nmoed = \"off\"").is_err());
}
