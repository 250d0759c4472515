//! Registering, verifying, resetting, signing in, linking and unlinking in any order, against a reference that says what
//! is so in the fewest words.

use crate::house::WriteTo as _;
use atelier_kit::sql;
use std::collections::BTreeSet;

use atelier_proto::users::v1 as pb;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tonic::Status;

use crate::desk::Desk;
use crate::emails::reset;

const EMAILS: [&str; 2] = ["ana@x.org", "bob@x.org"];
const PASSWORDS: [&str; 2] = ["correct horse", "battery staple"];
const SUBJECTS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Register {
        email: usize,
        password: usize,
    },
    Login {
        email: usize,
        password: usize,
    },
    /// Whoever reads the mails of an e-mail verifies it.
    Verify {
        email: usize,
    },
    Reset {
        email: usize,
        password: usize,
    },
    SignIn {
        subject: usize,
        email: usize,
        verified: bool,
        password: Option<usize>,
    },
    /// The last session of an account links and unlinks.
    Link {
        account: usize,
        subject: usize,
    },
    Unlink {
        account: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (email, password) = (0..EMAILS.len(), 0..PASSWORDS.len());
    prop_oneof![
        2 => (email.clone(), password.clone()).prop_map(|(email, password)| Step::Register { email, password }),
        1 => (email.clone(), password.clone()).prop_map(|(email, password)| Step::Login { email, password }),
        2 => email.clone().prop_map(|email| Step::Verify { email }),
        2 => (email.clone(), password.clone()).prop_map(|(email, password)| Step::Reset { email, password }),
        6 => (0..SUBJECTS, email, any::<bool>(), proptest::option::of(password)).prop_map(
            |(subject, email, verified, password)| Step::SignIn { subject, email, verified, password }
        ),
        2 => (0..3_usize, 0..SUBJECTS).prop_map(|(account, subject)| Step::Link { account, subject }),
        2 => (0..3_usize).prop_map(|account| Step::Unlink { account }),
    ]
}

/// An account as the reference has it.
#[derive(Debug)]
struct Account {
    id: String,
    email: usize,
    verified: bool,
    password: Option<usize>,
    subjects: BTreeSet<usize>,
    tokens: Option<pb::TokenPair>,
}

/// The reference: what is so, in the fewest words.
#[derive(Default)]
struct Model(Vec<Account>);

impl Model {
    fn of_email(&mut self, email: usize) -> Option<&mut Account> {
        self.0.iter_mut().find(|account| account.email == email)
    }

    fn of_subject(&mut self, subject: usize) -> Option<&mut Account> {
        let mut all = self.0.iter_mut();
        all.find(|account| account.subjects.contains(&subject))
    }

    fn add(&mut self, account: Account) {
        self.0.push(account);
    }
}

fn reason<T>(answer: &Result<T, Status>) -> Option<String> {
    let status = answer.as_ref().err()?;
    atelier_kit::fault::reason_of(status)
}

impl Desk {
    /// The token of a mail that sets another password, as if it had been read.
    async fn reset_token(&self, email: &str) -> String {
        let token = format!("reset of {email}");
        sql::query(
            "INSERT INTO mail_tokens (token_hash, user_id, purpose, email, expire_time) \
             SELECT $1, id, 'reset', email, $2 FROM users WHERE email = $3",
        )
        .bind(&Sha256::digest(token.as_bytes())[..])
        .bind(i64::MAX)
        .bind(email)
        .write_to(&self.house.database().await)
        .await
        .unwrap();
        token
    }

    async fn take(&self, step: Step, model: &mut Model) {
        // How often is tried is shown elsewhere.
        sql::query("DELETE FROM attempts")
            .write_to(&self.house.database().await)
            .await
            .unwrap();
        match step {
            Step::Register { email, password } => {
                let request = pb::RegisterRequest {
                    email: EMAILS[email].into(),
                    password: PASSWORDS[password].into(),
                    ..Default::default()
                };
                let answer = self.house.client.clone().register(request).await;
                if model.of_email(email).is_some() {
                    assert_eq!(reason(&answer).as_deref(), Some("EMAIL_TAKEN"));
                    return;
                }
                let made = answer.unwrap().into_inner();
                model.add(Account {
                    id: made.user.unwrap().id,
                    email,
                    verified: false,
                    password: Some(password),
                    subjects: BTreeSet::new(),
                    tokens: made.tokens,
                });
            }
            Step::Login { email, password } => {
                let answer = self.house.login(EMAILS[email], PASSWORDS[password]).await;
                let account = model.of_email(email);
                match account.filter(|account| account.password == Some(password)) {
                    Some(account) => {
                        let entered = answer.unwrap();
                        assert_eq!(entered.user.unwrap().id, account.id);
                        account.tokens = entered.tokens;
                    }
                    None => assert_eq!(reason(&answer).as_deref(), Some("INVALID_CREDENTIALS")),
                }
            }
            Step::Verify { email } => {
                let Some(account) = model.of_email(email) else {
                    return;
                };
                // As `verify` in a mail does; the one that waits could come in between with another token.
                sql::query("UPDATE users SET email_verify_time = update_time WHERE email = $1")
                    .bind(EMAILS[email])
                    .write_to(&self.house.database().await)
                    .await
                    .unwrap();
                account.verified = true;
            }
            Step::Reset { email, password } => {
                let Some(account) = model.of_email(email) else {
                    return;
                };
                let token = self.reset_token(EMAILS[email]).await;
                reset(&self.house, &token, PASSWORDS[password])
                    .await
                    .unwrap();
                if !account.verified {
                    account.subjects.clear();
                }
                account.verified = true;
                account.password = Some(password);
                account.tokens = None;
            }
            Step::SignIn {
                subject,
                email,
                verified,
                password,
            } => {
                self.take_sign_in(subject, email, verified, password, model)
                    .await;
            }
            Step::Link { account, subject } => {
                let Some(tokens) = model.0.get(account).and_then(|found| found.tokens.clone())
                else {
                    return;
                };
                let answer = self
                    .link(&tokens, json!({"sub": subject.to_string()}))
                    .await;
                let id = model.0[account].id.clone();
                let holder = model.of_subject(subject).map(|holder| holder.id.clone());
                match holder {
                    Some(holder) if holder != id => {
                        assert_eq!(reason(&answer).as_deref(), Some("IDENTITY_TAKEN"));
                    }
                    None if !model.0[account].subjects.is_empty() => {
                        assert_eq!(reason(&answer).as_deref(), Some("PROVIDER_LINKED"));
                    }
                    _ => {
                        answer.unwrap();
                        model.0[account].subjects.insert(subject);
                    }
                }
            }
            Step::Unlink { account } => {
                let Some(account) = model.0.get_mut(account) else {
                    return;
                };
                let Some(tokens) = account.tokens.clone() else {
                    return;
                };
                let linked = self.identities(&tokens).await;
                assert_eq!(linked.len(), account.subjects.len());
                let Some(linked) = linked.first() else { return };
                let answer = self.unlink(&tokens, &linked.id).await;
                if account.password.is_none() {
                    assert_eq!(reason(&answer).as_deref(), Some("LAST_SIGN_IN"));
                } else {
                    answer.unwrap();
                    account.subjects.clear();
                }
            }
        }
    }

    async fn take_sign_in(
        &self,
        subject: usize,
        email: usize,
        verified: bool,
        password: Option<usize>,
        model: &mut Model,
    ) {
        let claims = json!({
            "sub": subject.to_string(), "email": EMAILS[email], "email_verified": verified,
        });
        let request = self.go(None, claims).await;
        let shown = pb::CompleteSignInRequest {
            password: password.map_or("", |password| PASSWORDS[password]).into(),
            ..request
        };
        let answer = self.complete(&shown).await;
        if let Some(account) = model.of_subject(subject) {
            let entered = answer.unwrap();
            assert_eq!(entered.user.unwrap().id, account.id);
            account.tokens = entered.tokens;
            return;
        }
        let Some(account) = model.of_email(email) else {
            let made = answer.unwrap();
            assert!(made.created);
            model.add(Account {
                id: made.user.unwrap().id,
                email,
                verified,
                password: None,
                subjects: BTreeSet::from([subject]),
                tokens: made.tokens,
            });
            return;
        };
        let knows = password.is_some() && account.password == password;
        let expected = if !(verified && account.verified || knows) {
            let asked = if password.is_some() {
                "INVALID_CREDENTIALS"
            } else {
                "PASSWORD_REQUIRED"
            };
            Some(asked)
        } else if account.subjects.is_empty() {
            None
        } else {
            Some("PROVIDER_LINKED")
        };
        assert_eq!(reason(&answer).as_deref(), expected);
        if let Ok(entered) = answer {
            assert_eq!(entered.user.unwrap().id, account.id);
            account.subjects.insert(subject);
            account.tokens = entered.tokens;
        }
    }
}

#[test]
fn nobody_gets_into_an_account_without_its_identity_its_password_or_its_email_on_both_sides() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let config = ProptestConfig {
        cases: 24,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    TestRunner::new(config)
        .run(&proptest::collection::vec(step(), 1..24), |steps| {
            runtime.block_on(async {
                let desk = Desk::new().await;
                let mut model = Model::default();
                for step in steps {
                    desk.take(step, &mut model).await;
                }
            });
            Ok(())
        })
        .unwrap();
}
