//! Istio: Envoy's JSON access log with the keys that Istio chose.
//!
//! Keys from `pilot/pkg/model/telemetry_logging.go`. Traps: older meshes write every value as text and `-` for missing,
//! newer ones numbers and `null`; some keys are header-style (`user-agent`); `upstream_service_time` is text always.
//! There is no credential unless the operator added one.

use serde::de::MapAccess;

use super::envoy::Envoy;
use crate::call::Call;
use crate::json::Fields;
use crate::names::CredentialNames;

/// One record: Envoy's keys include Istio's.
pub(crate) struct Istio<'n, 'a>(Envoy<'n, 'a>);

impl<'n> Istio<'n, '_> {
    pub(crate) fn new(names: &'n CredentialNames) -> Self {
        Self(Envoy::new(names))
    }
}

impl<'a> From<Istio<'_, 'a>> for Call<'a> {
    fn from(istio: Istio<'_, 'a>) -> Self {
        istio.0.into()
    }
}

impl<'de> Fields<'de> for Istio<'_, 'de> {
    fn field<A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        self.0.field(key, map)
    }
}
