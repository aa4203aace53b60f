//! Which of the things that may identify a token counts before which.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use tokenwatch_model::{Format, Problems};

/// One of the things that may identify a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentitySource {
    /// The gateway's own name of the credential.
    Credential,
    /// The grant behind a JWT: issuer, subject, client.
    Grant,
    /// The raw token, as its fingerprint.
    Fingerprint,
    /// The consumer that the gateway names.
    Consumer,
}

/// What identifies a token, the best first.
type Order = SmallVec<[IdentitySource; 4]>;

/// The order in general, and those of single formats.
#[derive(Clone, Debug)]
pub(crate) struct IdentityOrders {
    general: Order,
    formats: SmallVec<[(Format, Order); 1]>,
}

impl IdentitySource {
    /// Every one, in the order that counts unless another is configured.
    pub const ALL: [Self; 4] = [
        Self::Credential,
        Self::Grant,
        Self::Fingerprint,
        Self::Consumer,
    ];
}

impl IdentityOrders {
    pub(crate) fn new(
        general: &[IdentitySource],
        formats: &BTreeMap<Format, Vec<IdentitySource>>,
    ) -> Self {
        let of_format = |(format, order): (&Format, &Vec<_>)| (*format, Order::from_slice(order));
        Self {
            general: Order::from_slice(general),
            formats: formats.iter().map(of_format).collect(),
        }
    }

    /// The order for records of `format`.
    pub(super) fn of(&self, format: Format) -> &[IdentitySource] {
        let own = self.formats.iter().find(|(known, _)| *known == format);
        own.map_or(&self.general, |(_, order)| order)
    }
}

/// Tells what is wrong with an order.
pub(crate) fn check_order(order: &[IdentitySource], key: &str, problems: &mut Problems) {
    if order.is_empty() {
        problems.add(key, "name at least one: nothing would identify a token");
    }
    let is_repeated = |index: usize| order[..index].contains(&order[index]);
    if let Some(index) = (0..order.len()).find(|index| is_repeated(*index)) {
        problems.add(format!("{key}[{index}]"), "is there already");
    }
}
