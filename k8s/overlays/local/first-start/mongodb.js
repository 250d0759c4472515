// Makes a user for each role that keeps documents, who may read and write its database and no other. Run once by the image, on
// an empty volume.
for (const [role, password] of [["llm_chat", process.env.MONGODB_LLM_CHAT_PASSWORD], ["analytics", process.env.MONGODB_ANALYTICS_PASSWORD]]) {
    const name = `atelier_${role}`;
    db.getSiblingDB("admin").createUser({ user: name, pwd: password, roles: [{ role: "readWrite", db: name }] });
}
