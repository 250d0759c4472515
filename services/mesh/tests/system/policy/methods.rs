//! Every method of the contract: whom it is for, and what an API key needs for it. Written by hand and reviewed; the
//! options of the contract are not asked.

use super::outcomes::For::{self, Accounts, Admins, AnySession, Anyone, Operators, Services};
use super::outcomes::Key::{self, Chat, Free, Image, Never, Read, Speech};

/// Every method, whom it is for, and what an API key needs.
#[rustfmt::skip]
pub const METHODS: &[(&str, For, Key)] = &[
    ("/atelier.users.v1.UsersService/Register",                    Anyone,     Free),
    ("/atelier.users.v1.UsersService/Login",                       Anyone,     Free),
    ("/atelier.users.v1.UsersService/RefreshSession",              Anyone,     Free),
    ("/atelier.users.v1.UsersService/CreateAnonymousSession",      Anyone,     Free),
    ("/atelier.users.v1.UsersService/GetKeySet",                   Anyone,     Free),
    ("/atelier.users.v1.UsersService/GetMe",                       AnySession, Read),
    ("/atelier.users.v1.UsersService/ListSessions",                AnySession, Never),
    ("/atelier.users.v1.UsersService/RevokeSession",               AnySession, Never),
    ("/atelier.users.v1.UsersService/UpdateMe",                    Accounts,   Never),
    ("/atelier.users.v1.UsersService/ChangePassword",              Accounts,   Never),
    ("/atelier.users.v1.UsersService/ListUsers",                   Admins,     Never),
    ("/atelier.users.v1.UsersService/SetUserRole",                 Admins,     Never),
    ("/atelier.users.v1.UsersService/RequestPasswordReset",        Anyone,     Free),
    ("/atelier.users.v1.UsersService/ResetPassword",               Anyone,     Free),
    ("/atelier.users.v1.UsersService/ConfirmEmail",                Anyone,     Free),
    ("/atelier.users.v1.UsersService/RequestEmailVerification",    Accounts,   Never),
    ("/atelier.users.v1.UsersService/RequestEmailChange",          Accounts,   Never),
    ("/atelier.users.v1.UsersService/CreateApiKey",                Accounts,   Never),
    ("/atelier.users.v1.UsersService/ListApiKeys",                 Accounts,   Never),
    ("/atelier.users.v1.UsersService/RevokeApiKey",                Accounts,   Never),
    ("/atelier.users.v1.UsersService/EnrollTotp",                  Accounts,   Never),
    ("/atelier.users.v1.UsersService/ConfirmTotp",                 Accounts,   Never),
    ("/atelier.users.v1.UsersService/DisableTotp",                 Accounts,   Never),
    ("/atelier.users.v1.UsersService/RenewRecoveryCodes",          Accounts,   Never),
    ("/atelier.users.v1.UsersService/ListAuditEvents",             Admins,     Never),
    ("/atelier.users.v1.UsersService/ExchangeApiKey",              Services,   Never),
    ("/atelier.users.v1.UsersService/WatchRevocations",            Services,   Never),
    ("/atelier.users.v1.UsersService/ListSigningKeys",             Operators,  Never),
    ("/atelier.users.v1.UsersService/RotateSigningKey",            Operators,  Never),
    ("/atelier.users.v1.UsersService/GrantRole",                   Operators,  Never),
    ("/atelier.users.v1.UsersService/ListSignInProviders",         Anyone,     Free),
    ("/atelier.users.v1.UsersService/StartSignIn",                 Anyone,     Free),
    ("/atelier.users.v1.UsersService/CompleteSignIn",              Anyone,     Free),
    ("/atelier.users.v1.UsersService/ListIdentities",              Accounts,   Never),
    ("/atelier.users.v1.UsersService/LinkIdentity",                Accounts,   Never),
    ("/atelier.users.v1.UsersService/UnlinkIdentity",              Accounts,   Never),
    ("/atelier.users.v1.UsersService/ExportAccount",               AnySession, Never),
    ("/atelier.users.v1.UsersService/GetDeletion",                 Anyone,     Free),

    ("/atelier.llm_chat.v1.LlmChatService/ListModels",             Anyone,     Free),
    ("/atelier.llm_chat.v1.LlmChatService/CreateConversation",     Accounts,   Chat),
    ("/atelier.llm_chat.v1.LlmChatService/GetConversation",        Accounts,   Read),
    ("/atelier.llm_chat.v1.LlmChatService/ListConversations",      Accounts,   Read),
    ("/atelier.llm_chat.v1.LlmChatService/UpdateConversation",     Accounts,   Chat),
    ("/atelier.llm_chat.v1.LlmChatService/DeleteConversation",     Accounts,   Chat),
    ("/atelier.llm_chat.v1.LlmChatService/ListMessages",           Accounts,   Read),
    ("/atelier.llm_chat.v1.LlmChatService/SendMessage",            Accounts,   Chat),
    ("/atelier.llm_chat.v1.LlmChatService/Complete",               Accounts,   Chat),
    ("/atelier.llm_chat.v1.LlmChatService/WatchGeneration",        Accounts,   Read),
    ("/atelier.llm_chat.v1.LlmChatService/CancelGeneration",       Accounts,   Chat),
    ("/atelier.llm_chat.v1.LlmChatService/ExportPersonalData",     Services,   Never),
    ("/atelier.llm_chat.v1.LlmChatService/ErasePersonalData",      Services,   Never),

    ("/atelier.text_image.v1.TextImageService/ListStyles",         Anyone,     Free),
    ("/atelier.text_image.v1.TextImageService/GenerateImage",      AnySession, Image),
    ("/atelier.text_image.v1.TextImageService/WatchGeneration",    AnySession, Read),
    ("/atelier.text_image.v1.TextImageService/CancelGeneration",   AnySession, Image),
    ("/atelier.text_image.v1.TextImageService/GetImage",           AnySession, Read),
    ("/atelier.text_image.v1.TextImageService/ListImages",         AnySession, Read),
    ("/atelier.text_image.v1.TextImageService/DeleteImage",        AnySession, Image),
    ("/atelier.text_image.v1.TextImageService/ListAllImages",      Admins,     Never),
    ("/atelier.text_image.v1.TextImageService/ExportPersonalData", Services,   Never),
    ("/atelier.text_image.v1.TextImageService/ErasePersonalData",  Services,   Never),

    ("/atelier.tts.v1.TtsService/ListVoices",                      Anyone,     Free),
    ("/atelier.tts.v1.TtsService/Synthesize",                      Accounts,   Speech),
    ("/atelier.tts.v1.TtsService/WatchGeneration",                 Accounts,   Read),
    ("/atelier.tts.v1.TtsService/CancelGeneration",                Accounts,   Speech),
    ("/atelier.tts.v1.TtsService/GetConversion",                   Accounts,   Read),
    ("/atelier.tts.v1.TtsService/ListConversions",                 Accounts,   Read),
    ("/atelier.tts.v1.TtsService/DeleteConversion",                Accounts,   Speech),
    ("/atelier.tts.v1.TtsService/ExportPersonalData",              Services,   Never),
    ("/atelier.tts.v1.TtsService/ErasePersonalData",               Services,   Never),

    ("/atelier.analytics.v1.AnalyticsService/RecordEvents",        Services,   Never),
    ("/atelier.analytics.v1.AnalyticsService/GetUsageSummary",     AnySession, Read),
    ("/atelier.analytics.v1.AnalyticsService/ListUsageEvents",     AnySession, Read),
    ("/atelier.analytics.v1.AnalyticsService/ExportPersonalData",  Services,   Never),
    ("/atelier.analytics.v1.AnalyticsService/ErasePersonalData",   Services,   Never),

    // The last of all, since they end the session that calls.
    ("/atelier.users.v1.UsersService/RevokeAllSessions",           AnySession, Never),
    ("/atelier.users.v1.UsersService/Logout",                      AnySession, Never),
    ("/atelier.users.v1.UsersService/DeleteAccount",               AnySession, Never),
];

/// Methods that end the session that calls, or its account: whoever called one has to sign in again.
pub const ENDING: [&str; 3] = [
    "/atelier.users.v1.UsersService/RevokeAllSessions",
    "/atelier.users.v1.UsersService/Logout",
    "/atelier.users.v1.UsersService/DeleteAccount",
];
