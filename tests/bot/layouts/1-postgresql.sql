SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.chat_settings (
    chat text NOT NULL,
    name text NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.labels (
    chat text NOT NULL,
    sender text NOT NULL,
    label text NOT NULL
);
CREATE TABLE public.messages (
    seq bigint NOT NULL,
    chat text NOT NULL,
    id text NOT NULL,
    kind text NOT NULL,
    chat_name text NOT NULL,
    at double precision NOT NULL,
    "time" bigint NOT NULL,
    sender text NOT NULL,
    name text NOT NULL,
    mine boolean NOT NULL,
    author text NOT NULL,
    segments text NOT NULL,
    reply_to text,
    flags text NOT NULL,
    recalled boolean NOT NULL,
    turn text NOT NULL
);
CREATE SEQUENCE public.messages_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.messages_seq_seq OWNED BY public.messages.seq;
CREATE TABLE public.schema_version (
    version integer NOT NULL
);
CREATE SEQUENCE public.schema_version_version_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.schema_version_version_seq OWNED BY public.schema_version.version;
ALTER TABLE ONLY public.messages ALTER COLUMN seq SET DEFAULT nextval('public.messages_seq_seq'::regclass);
ALTER TABLE ONLY public.schema_version ALTER COLUMN version SET DEFAULT nextval('public.schema_version_version_seq'::regclass);
INSERT INTO public.chat_settings VALUES ('qq:group:7001', 'mode', 'called');
INSERT INTO public.chat_settings VALUES ('qq:private:20001', 'mode', 'off');
INSERT INTO public.chat_settings VALUES ('qq:private:20001', 'disclosed', '1700000031');
INSERT INTO public.chat_settings VALUES ('qq:group:7001', 'muted', '0.0');
INSERT INTO public.labels VALUES ('qq:group:7001', '20001', '阿泽');
INSERT INTO public.labels VALUES ('qq:group:7001', '20002', '小鹿');
INSERT INTO public.labels VALUES ('qq:private:20001', '20001', '阿泽');
INSERT INTO public.messages VALUES (1, 'qq:group:7001', '101', 'group', '羽毛球群', 1700000000.5, 1700000000, '20001', '阿泽', false, 'other', '[{"type":"text","text":"周六打球吗"}]', NULL, '', false, '');
INSERT INTO public.messages VALUES (2, 'qq:group:7001', '102', 'group', '羽毛球群', 1700000010.25, 1700000010, '20002', '小鹿', false, 'other', '[{"type":"at","id":"20001","name":"阿泽"},{"type":"text","text":"我去\n几点"}]', '101', '', false, '');
INSERT INTO public.messages VALUES (3, 'qq:group:7001', '103', 'group', '羽毛球群', 1700000020, 1700000020, '20002', '小鹿', false, 'other', '[{"type":"at","id":"30003","name":"北北"},{"type":"text","text":"你呢？"}]', NULL, '', false, 'answered');
INSERT INTO public.messages VALUES (4, 'qq:group:7001', '104', 'group', '羽毛球群', 1700000031.75, 1700000031, '', '北北', true, 'persona:0123456789ab', '[{"type":"text","text":"去呀，三点"}]', '103', '', false, '');
INSERT INTO public.messages VALUES (5, 'qq:group:7001', '105', 'group', '羽毛球群', 1700000040, 1700000040, '30003', '北北', true, 'owner', '[{"type":"text","text":"我带球"},{"type":"face","text":"可爱"}]', NULL, '', false, '');
INSERT INTO public.messages VALUES (6, 'qq:group:7001', '106', 'group', '羽毛球群', 1700000050, 1700000050, '20001', '阿泽', false, 'other', '[{"type":"image"}]', NULL, '', true, '');
INSERT INTO public.messages VALUES (8, 'qq:private:20001', '202', 'private', '阿泽', 1700000200, 1700000200, '20001', '阿泽', false, 'other', '[{"type":"text","text":"给你电话"}]', NULL, '', false, 'open');
INSERT INTO public.messages VALUES (7, 'qq:private:20001', '201', 'private', '阿泽', 1700000100, 1700000100, '20001', '阿泽', false, 'other', '[{"type":"text","text":"在吗"}]', NULL, 'forwarded', false, 'stale');
INSERT INTO public.schema_version VALUES (1);
SELECT pg_catalog.setval('public.messages_seq_seq', 8, true);
SELECT pg_catalog.setval('public.schema_version_version_seq', 1, false);
ALTER TABLE ONLY public.chat_settings
    ADD CONSTRAINT chat_settings_pkey PRIMARY KEY (chat, name);
ALTER TABLE ONLY public.labels
    ADD CONSTRAINT labels_pkey PRIMARY KEY (chat, sender);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_chat_id_key UNIQUE (chat, id);
ALTER TABLE ONLY public.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (version);
CREATE INDEX messages_by_time ON public.messages USING btree ("time");
CREATE INDEX messages_in_order ON public.messages USING btree (chat, at, seq);
