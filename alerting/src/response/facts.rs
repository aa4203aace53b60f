//! What a decision knows of a token beyond the finding: what the registry says of it, and how it was used before.

use ipnet::IpNet;
use tokenwatch_model::{BlastRadius, FindingToken, Registration, TokenKind};

/// What is known of a token; what could not be read is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenFacts {
    /// What sort of credential it is.
    pub kind: Option<TokenKind>,
    /// What the registry says.
    pub registration: Option<Registration>,
    /// How it was used before the finding began.
    pub blast_radius: Option<BlastRadius>,
    /// The networks that it may be used from: those of the registry, else those that it was used from.
    pub networks: Vec<IpNet>,
}

impl TokenFacts {
    /// Whether no machine may touch it.
    pub(crate) fn is_protected(&self) -> bool {
        self.registration
            .as_ref()
            .is_some_and(|entry| entry.protected)
    }

    /// The blast radius, with whose token it is.
    pub(crate) fn blast_radius_of(&self, token: &FindingToken) -> Option<Box<BlastRadius>> {
        let radius = self.blast_radius.clone()?;
        let entry = self.registration.as_ref();
        let said = |of: fn(&Registration) -> &Option<String>| entry.and_then(|one| of(one).clone());
        Some(Box::new(BlastRadius {
            owner: token.owner.clone().or_else(|| said(|one| &one.owner)),
            team: token.team.clone().or_else(|| said(|one| &one.team)),
            contact: said(|one| &one.contact),
            environment: token
                .environment
                .clone()
                .or_else(|| said(|one| &one.environment)),
            ..radius
        }))
    }
}
