PRAGMA application_id = 1667785076;
PRAGMA user_version = 3;
BEGIN TRANSACTION;
CREATE TABLE accounts (
    user TEXT PRIMARY KEY,
    password_hash TEXT NOT NULL,
    name TEXT
) STRICT, WITHOUT ROWID;
INSERT INTO "accounts" VALUES('alice','$argon2id$v=19$m=65536,t=3,p=4$BRKFhrasWFhL53iQOUpKEA$rGaKHelRX3po+zCmGEKNxYpxFh22P6Sa0nA7DhwLfps','Alice');
INSERT INTO "accounts" VALUES('bob','$argon2id$v=19$m=65536,t=3,p=4$sgJe4rue/ZVO2YOdHzQPbA$5hPvdilAqOEsVRlqvHM0sQ5v+JdLyBWliDNYGphxVFw','Bob');
INSERT INTO "accounts" VALUES('carol','$argon2id$v=19$m=65536,t=3,p=4$rq3GhGiV8WriKC1P4Cv5+A$C1QKAWZhMTp3w/Ni7Tkj2oJ84xPs/ewErAlgxFm4Pxw','Carol');
INSERT INTO "accounts" VALUES('dave','$argon2id$v=19$m=65536,t=3,p=4$Bmd//jbnueNUV+dhUlRdtA$KgVUU8HYAKVqZJUAILm1j7L2yLnpbwwAPn26BYrH/tw','Dave');
CREATE TABLE edits (
    room INTEGER NOT NULL,
    target INTEGER NOT NULL,
    seq INTEGER NOT NULL,   -- of the last "edited" entry of the message
    PRIMARY KEY (room, target)
) STRICT, WITHOUT ROWID;
INSERT INTO "edits" VALUES(1,1,3);
CREATE TABLE entries (
    position INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given out again
    room INTEGER NOT NULL,                       -- rooms.id
    seq INTEGER NOT NULL,
    author TEXT NOT NULL,
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    digest TEXT,
    kind TEXT NOT NULL,
    event TEXT NOT NULL,  -- JSON: chatcore.protocol.event_object
    opens TEXT,           -- JSON: chatcore.protocol.opens_object
    affects TEXT          -- JSON: a list of users; NULL instead of an empty one
) STRICT;
INSERT INTO "entries" VALUES(1,1,1,'alice','1',1796007159793,'2e244c5a43898a376d7c407c8ac31948','message','{"body":"Hello, Bob ✓","version":1,"data":{"colour":"red","number":1.5,"list":[null,true]}}','{"kind":"private","members":{"alice":"member","bob":"member"}}','["alice","bob"]');
INSERT INTO "entries" VALUES(2,1,2,'bob','1',1796007159808,'7e9386ee5b8ad24b26813b333929fa66','message','{"body":"Hi","version":1,"reply_to":1,"mentions":["alice"]}',NULL,NULL);
INSERT INTO "entries" VALUES(3,1,3,'alice','2',1796007159817,'d3c314ceb4d72aae8815fdd2b92e03ff','edited','{"target":1,"version":2,"body":"Hello, dear Bob"}',NULL,NULL);
INSERT INTO "entries" VALUES(4,1,4,'bob','rfvFm3sW2h3TLx4Cuf9Qgg',1796007159824,'f121cdc80f3f2396d8add7297b5b3e1f','reacted','{"target":1,"emoji":"👍","on":true}',NULL,NULL);
INSERT INTO "entries" VALUES(5,1,5,'alice','SViqQUHaUz2bNGIZGOpYcQ',1796007159827,'f121cdc80f3f2396d8add7297b5b3e1f','reacted','{"target":1,"emoji":"👍","on":true}',NULL,NULL);
INSERT INTO "entries" VALUES(6,1,6,'alice','rCq3W_0UQZ0VVv-FoxR6jw',1796007159830,'1fc24ecad2769788c7972cae3a391cc4','reacted','{"target":1,"emoji":"👍","on":false}',NULL,NULL);
INSERT INTO "entries" VALUES(7,1,7,'alice','3',1796007159833,NULL,'message','{"version":1,"deleted":true}',NULL,NULL);
INSERT INTO "entries" VALUES(8,1,8,'alice','ucD53vMS4YAMvUhIj6paVQ',1796007159838,'4ee5a38f6fb2e7a5149a8efecd6d7583','deleted','{"target":7}',NULL,NULL);
INSERT INTO "entries" VALUES(9,1,9,'bob','2',1796007159842,'c63f274370e1411f2b6eb1d03d5eb642','message','{"body":"What was it?","version":1}',NULL,NULL);
INSERT INTO "entries" VALUES(10,2,1,'alice','group',1796007159853,'6b5ec41a83f46ff272bd5351d580cbcb','opened','{}','{"kind":"group","members":{"bob":"member","dave":"member","alice":"owner"},"title":"Kept"}','["bob","dave","alice"]');
INSERT INTO "entries" VALUES(11,2,2,'alice','g1',1796007159857,'1548b408c416e117f7e460d116e91dec','message','{"body":"Welcome","version":1}',NULL,NULL);
INSERT INTO "entries" VALUES(12,2,3,'alice','dCik875aqd99Q-TCdGr5pA',1796007159861,'d7a91a75a4699b61349278d7924aa7af','invited','{"user":"carol"}',NULL,'["carol"]');
INSERT INTO "entries" VALUES(13,2,4,'alice','uX44Hn4PpTGhq8ZQz8dXjw',1796007159865,'9898d9d00c1704e119570186b1afcf93','role','{"user":"bob","role":"admin"}',NULL,NULL);
INSERT INTO "entries" VALUES(14,2,5,'bob','SYtgTlkCXmfYQVyDVG-Frg',1796007159868,'2b07d16a7ba9899576d20c06e4483219','banned','{"user":"dave","reason":"noise"}',NULL,'["dave"]');
INSERT INTO "entries" VALUES(15,2,6,'bob','xJYZraiV-Meojw5T-fDSxw',1796007159871,'062d532fce35a823fcfd87fc82718d14','updated','{"title":"Kept for long"}',NULL,NULL);
INSERT INTO "entries" VALUES(16,2,7,'bob','g1',1796007159873,'61478cc923e287de65d99b924b9f62f3','message','{"body":"Done","version":1}',NULL,NULL);
INSERT INTO "entries" VALUES(17,3,1,'carol','public',1796007159876,'8e54cf6000ccc9a9f9226c528d463528','opened','{}','{"kind":"public","members":{"carol":"owner"},"title":"For all"}','["carol"]');
INSERT INTO "entries" VALUES(18,3,2,'alice','Lm_1pt_OyVgftssn8rhe4Q',1796007159878,'12b3f91be6c8a23d0a448bdff854cd10','joined','{"user":"alice","role":"member"}',NULL,'["alice"]');
INSERT INTO "entries" VALUES(19,3,3,'bob','Pic5njNB_lFQYATiucJBKA',1796007159880,'12b3f91be6c8a23d0a448bdff854cd10','joined','{"user":"bob","role":"member"}',NULL,'["bob"]');
INSERT INTO "entries" VALUES(20,3,4,'dave','-b5qBlKN_ghw-ibbVgqAUQ',1796007159883,'12b3f91be6c8a23d0a448bdff854cd10','joined','{"user":"dave","role":"member"}',NULL,'["dave"]');
INSERT INTO "entries" VALUES(21,3,5,'bob','RF3DGLKQDl4D6QLrVn6chA',1796007159887,'13d2a24a2d3d4024206d88f08533d092','left','{"user":"bob"}',NULL,'["bob"]');
INSERT INTO "entries" VALUES(22,3,6,'carol','uW0vna55Dup_cFo-adpCPA',1796007159890,'fe50d9b411453c8ea60cc2adcfa94962','banned','{"user":"dave"}',NULL,'["dave"]');
INSERT INTO "entries" VALUES(23,3,7,'carol','KFEdMd2a46S-Bf0POa9dBA',1796007159894,'940b83ad3b4d631cf0a3de311801e32e','unbanned','{"user":"dave"}',NULL,'["dave"]');
INSERT INTO "entries" VALUES(24,3,8,'carol','oQmnPmsCFwbdfAyR7a2sAQ',1796007159897,'03cc56a60b0d95cc61d44e29ae44d6f7','removed','{"user":"alice"}',NULL,'["alice"]');
CREATE TABLE markers (
    room INTEGER NOT NULL,
    user TEXT NOT NULL,
    read INTEGER NOT NULL,
    delivered INTEGER NOT NULL, unread_from INTEGER, muted INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;
INSERT INTO "markers" VALUES(1,'alice',2,8,NULL,0);
INSERT INTO "markers" VALUES(1,'bob',0,0,1,1);
INSERT INTO "markers" VALUES(2,'alice',0,0,NULL,0);
INSERT INTO "markers" VALUES(2,'bob',0,0,NULL,0);
INSERT INTO "markers" VALUES(2,'dave',0,0,NULL,0);
INSERT INTO "markers" VALUES(3,'alice',2,2,NULL,0);
INSERT INTO "markers" VALUES(3,'bob',3,3,NULL,0);
INSERT INTO "markers" VALUES(3,'carol',0,0,NULL,0);
INSERT INTO "markers" VALUES(3,'dave',4,4,NULL,0);
CREATE TABLE members (
    room INTEGER NOT NULL,
    user TEXT NOT NULL,
    role TEXT NOT NULL,
    since INTEGER NOT NULL,
    standing TEXT NOT NULL,
    PRIMARY KEY (room, user)
) STRICT, WITHOUT ROWID;
INSERT INTO "members" VALUES(1,'alice','member',1,'member');
INSERT INTO "members" VALUES(1,'bob','member',1,'member');
INSERT INTO "members" VALUES(2,'alice','owner',1,'member');
INSERT INTO "members" VALUES(2,'bob','admin',1,'member');
INSERT INTO "members" VALUES(2,'carol','member',3,'invited');
INSERT INTO "members" VALUES(2,'dave','member',5,'banned');
INSERT INTO "members" VALUES(3,'carol','owner',1,'member');
CREATE TABLE messages (     -- that are not deleted
    room INTEGER NOT NULL,
    run INTEGER NOT NULL,   -- seq of the first of the messages that an author wrote without another in between
    seq INTEGER NOT NULL,
    author TEXT NOT NULL,
    PRIMARY KEY (room, run, seq)
) STRICT, WITHOUT ROWID;
INSERT INTO "messages" VALUES(1,1,1,'alice');
INSERT INTO "messages" VALUES(1,2,2,'bob');
INSERT INTO "messages" VALUES(1,2,9,'bob');
INSERT INTO "messages" VALUES(2,2,2,'alice');
INSERT INTO "messages" VALUES(2,7,7,'bob');
CREATE TABLE probes (id INTEGER PRIMARY KEY, space BLOB NOT NULL) STRICT;
CREATE TABLE reactions (
    room INTEGER NOT NULL,
    target INTEGER NOT NULL,
    emoji TEXT NOT NULL,
    since INTEGER NOT NULL,  -- seq of the "reacted" entry that brought it
    count INTEGER NOT NULL,
    users TEXT NOT NULL,     -- JSON: the first 20 in the order in which they reacted
    PRIMARY KEY (room, target, emoji)
) STRICT, WITHOUT ROWID;
INSERT INTO "reactions" VALUES(1,1,'👍',4,1,'["bob"]');
CREATE TABLE reactors (
    room INTEGER NOT NULL,
    target INTEGER NOT NULL,
    emoji TEXT NOT NULL,
    user TEXT NOT NULL,
    seq INTEGER NOT NULL,   -- of the "reacted" entry
    PRIMARY KEY (room, target, emoji, user)
) STRICT, WITHOUT ROWID;
INSERT INTO "reactors" VALUES(1,1,'👍','bob',4);
CREATE TABLE rooms (
    id INTEGER PRIMARY KEY,
    room TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    title TEXT,
    head INTEGER NOT NULL,
    at INTEGER NOT NULL,            -- of the entry at head; milliseconds since 1970, UTC
    members_count INTEGER NOT NULL  -- whose standing is "member"
) STRICT;
INSERT INTO "rooms" VALUES(1,'pvt-alice-bob','private',NULL,9,1796007159842,2);
INSERT INTO "rooms" VALUES(2,'room-ors6ddh4nkfnhdkfrd7b4vvrei','group','Kept for long',7,1796007159873,2);
INSERT INTO "rooms" VALUES(3,'room-u7xxcg7wtkehfseowafmaaew3i','public','For all',8,1796007159897,1);
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user TEXT NOT NULL,
    device TEXT NOT NULL,
    generation INTEGER NOT NULL,
    spent_at TEXT NOT NULL,    -- JSON: when the newest generations before this one were spent, the last one last
    ends_at INTEGER NOT NULL   -- both in milliseconds since 1970, UTC
) STRICT, WITHOUT ROWID;
CREATE TABLE store (epoch TEXT NOT NULL, views INTEGER NOT NULL DEFAULT 0, folded INTEGER NOT NULL DEFAULT 0) STRICT;
INSERT INTO "store" VALUES('1f095a2475af7cc4109e0d57b415e6cc',1,0);
CREATE UNIQUE INDEX entries_by_seq ON entries (room, seq);
CREATE UNIQUE INDEX entries_by_key ON entries (room, author, key);
CREATE INDEX members_by_user ON members (user, room);
CREATE INDEX sessions_by_end ON sessions (ends_at);
CREATE INDEX entries_of_messages ON entries (room, seq) WHERE kind = 'message';
CREATE INDEX entries_of_edits ON entries (room, json_extract(event, '$.target'), seq) WHERE kind = 'edited';
CREATE INDEX reactors_in_order ON reactors (room, target, emoji, seq, user);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('entries',24);
COMMIT;
