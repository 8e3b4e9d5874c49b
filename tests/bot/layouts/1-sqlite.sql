BEGIN TRANSACTION;
CREATE TABLE chat_settings (
	chat TEXT NOT NULL, 
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (chat, name)
);
INSERT INTO "chat_settings" VALUES('qq:group:7001','mode','called');
INSERT INTO "chat_settings" VALUES('qq:private:20001','mode','off');
INSERT INTO "chat_settings" VALUES('qq:private:20001','disclosed','1700000031');
INSERT INTO "chat_settings" VALUES('qq:group:7001','muted','0.0');
CREATE TABLE labels (
	chat TEXT NOT NULL, 
	sender TEXT NOT NULL, 
	label TEXT NOT NULL, 
	PRIMARY KEY (chat, sender)
);
INSERT INTO "labels" VALUES('qq:group:7001','20001','阿泽');
INSERT INTO "labels" VALUES('qq:group:7001','20002','小鹿');
INSERT INTO "labels" VALUES('qq:private:20001','20001','阿泽');
CREATE TABLE messages (
	seq INTEGER NOT NULL, 
	chat TEXT NOT NULL, 
	id TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	chat_name TEXT NOT NULL, 
	at DOUBLE NOT NULL, 
	time BIGINT NOT NULL, 
	sender TEXT NOT NULL, 
	name TEXT NOT NULL, 
	mine BOOLEAN NOT NULL, 
	author TEXT NOT NULL, 
	segments TEXT NOT NULL, 
	reply_to TEXT, 
	flags TEXT NOT NULL, 
	recalled BOOLEAN NOT NULL, 
	turn TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	UNIQUE (chat, id)
);
INSERT INTO "messages" VALUES(1,'qq:group:7001','101','group','羽毛球群',1700000000.5,1700000000,'20001','阿泽',0,'other','[{"type":"text","text":"周六打球吗"}]',NULL,'',0,'');
INSERT INTO "messages" VALUES(2,'qq:group:7001','102','group','羽毛球群',1700000010.25,1700000010,'20002','小鹿',0,'other','[{"type":"at","id":"20001","name":"阿泽"},{"type":"text","text":"我去\n几点"}]','101','',0,'');
INSERT INTO "messages" VALUES(3,'qq:group:7001','103','group','羽毛球群',1700000020.0,1700000020,'20002','小鹿',0,'other','[{"type":"at","id":"30003","name":"北北"},{"type":"text","text":"你呢？"}]',NULL,'',0,'answered');
INSERT INTO "messages" VALUES(4,'qq:group:7001','104','group','羽毛球群',1700000031.75,1700000031,'','北北',1,'persona:0123456789ab','[{"type":"text","text":"去呀，三点"}]','103','',0,'');
INSERT INTO "messages" VALUES(5,'qq:group:7001','105','group','羽毛球群',1700000040.0,1700000040,'30003','北北',1,'owner','[{"type":"text","text":"我带球"},{"type":"face","text":"可爱"}]',NULL,'',0,'');
INSERT INTO "messages" VALUES(6,'qq:group:7001','106','group','羽毛球群',1700000050.0,1700000050,'20001','阿泽',0,'other','[{"type":"image"}]',NULL,'',1,'');
INSERT INTO "messages" VALUES(7,'qq:private:20001','201','private','阿泽',1700000100.0,1700000100,'20001','阿泽',0,'other','[{"type":"text","text":"在吗"}]',NULL,'forwarded',0,'stale');
INSERT INTO "messages" VALUES(8,'qq:private:20001','202','private','阿泽',1700000200.0,1700000200,'20001','阿泽',0,'other','[{"type":"text","text":"给你电话"}]',NULL,'',0,'open');
CREATE TABLE schema_version (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "schema_version" VALUES(1);
CREATE INDEX messages_by_time ON messages (time);
CREATE INDEX messages_in_order ON messages (chat, at, seq);
COMMIT;
