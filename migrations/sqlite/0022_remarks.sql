-- What a process has seen that its operator should know, such as a proxy that is not trusted: `doctor` tells it.

alter table processes add column remark text;
