// Generated from the declarations of the methods: `gomer docs typescript > clients/typescript/src/methods.d.ts`.
// Do not edit.

/** Every method of an app, by name. */
export interface Methods {
  /** Calls my erasure off, as long as it has not begun. */
  "account.cancelDeletion": {
    kind: "procedure";
    args: CancelDeletion;
    reply: Cancelled;
  };
  /** Shows how far an erasure is and, once nothing is left, its receipt: mine, or by the id that was chosen for it. */
  "account.getDeletion": {
    kind: "query";
    args: GetDeletion;
    reply: Deletion;
  };
  /** Shows how far my export is and, when it is ready, an address for it that is good for a day. */
  "account.getExport": {
    kind: "query";
    args: Empty;
    reply: Export;
  };
  /** Shows my settings: language, time zone, what others see by default, and summaries. */
  "account.getSettings": {
    kind: "query";
    args: Empty;
    reply: AccountSettings;
  };
  /** Links an account at an identity provider by its ID token; the same account twice is the same link. */
  "account.linkProvider": {
    kind: "procedure";
    args: LinkProvider;
    reply: ProviderLink;
  };
  /** Lists the accounts at identity providers that are linked to my profile. */
  "account.listLinks": {
    kind: "query";
    args: Empty;
    reply: ProviderLinkPage;
  };
  /** Schedules my erasure after the app's grace period; until then I sign in as ever and can call it off. */
  "account.requestDeletion": {
    kind: "procedure";
    args: RequestDeletion;
    reply: Deletion;
  };
  /** Starts an export of all that is held about me, as a file of JSON lines. */
  "account.requestExport": {
    kind: "procedure";
    args: RequestExport;
    reply: Export;
  };
  /** Unlinks an account at an identity provider; refused if it is the last way to sign in. */
  "account.unlinkProvider": {
    kind: "procedure";
    args: UnlinkProvider;
    reply: Unlinked;
  };
  /** Changes settings field by field; of two edits of one field the later one stands. */
  "account.updateSettings": {
    kind: "procedure";
    args: UpdateSettings;
    reply: AccountSettings;
  };
  /** Shows one activity as Activity Streams 2.0 JSON. */
  "activity.get": {
    kind: "query";
    args: GetActivity;
    reply: Thing;
  };
  /** Lists what somebody did, or what was done with something as its target, newest first; what somebody likes only to the one who likes it. */
  "activity.list": {
    kind: "query";
    args: ListActivities;
    reply: ThingPage;
  };
  /** Lists what happened to a post, a reply or a profile, newest first. */
  "activity.listByObject": {
    kind: "query";
    args: ListByObject;
    reply: ThingPage;
  };
  /** Lists what happened to a post, a reply or a profile in groups, one for each verb and day, newest first: Ann and 4 others like it. */
  "activity.listGrouped": {
    kind: "query";
    args: ListByObject;
    reply: ActivityGroupPage;
  };
  /** Makes a key of the app. Its secret is in the first reply only, never in a repeated one. */
  "admin.createKey": {
    kind: "procedure";
    args: NewKey;
    reply: KeyView;
  };
  /** Revokes a key for ever. */
  "admin.deleteKey": {
    kind: "procedure";
    args: WhichKey;
    reply: KeyView;
  };
  /** Schedules somebody's erasure, or has it begin at once if that is confirmed; `account.getDeletion` tells how far it is. */
  "admin.deleteProfile": {
    kind: "procedure";
    args: DeleteProfile;
    reply: Deletion;
  };
  /** Shows the app's settings, their revision, and the revisions that are kept. */
  "admin.getSettings": {
    kind: "query";
    args: Empty;
    reply: SettingsView;
  };
  /** Shows calls and bytes by day, what uploads take on disk, and how often may be called. */
  "admin.getUsage": {
    kind: "query";
    args: GetUsage;
    reply: AppUsage;
  };
  /** Carries out lines of JSON, each a call of a method in somebody's name, and says of each what came of it; with ids that the caller chose it may be run again. */
  "admin.importData": {
    kind: "procedure";
    args: Empty;
    reply: Imported;
  };
  /** Lists what was done with the rights of moderators, administrators and the app's server, newest first. */
  "admin.listAudit": {
    kind: "query";
    args: ListAudit;
    reply: AuditedPage;
  };
  /** Lists the app's keys, revoked ones included, never their secrets. */
  "admin.listKeys": {
    kind: "query";
    args: Empty;
    reply: Keys;
  };
  /** Lists the people of the app, newest first, banned and private ones included; guests are not in it. */
  "admin.listProfiles": {
    kind: "query";
    args: ListProfiles;
    reply: ProfilePage;
  };
  /** Puts the settings of an earlier revision in force again, as a new revision. */
  "admin.rollbackSettings": {
    kind: "procedure";
    args: RollbackSettings;
    reply: SettingsView;
  };
  /** Changes settings: what is absent stays, null goes back to its default. Twenty revisions are kept. */
  "admin.updateSettings": {
    kind: "procedure";
    args: UpdateSettings2;
    reply: SettingsView;
  };
  /** Puts photos of one's own into an album: its owner may, and who contributes. */
  "album.addPhotos": {
    kind: "procedure";
    args: ChangePhotos;
    reply: ChangedPhotos;
  };
  /** Makes an album with a title, an audience, and who else may put photos in. */
  "album.create": {
    kind: "procedure";
    args: CreateAlbum;
    reply: Album;
  };
  /** Deletes an album for ever; its photos stay, or those of its owner go with it, as asked. */
  "album.delete": {
    kind: "procedure";
    args: DeleteAlbum;
    reply: DeletedAlbum;
  };
  /** Shows one album with its cover and how many photos it has. */
  "album.get": {
    kind: "query";
    args: GetAlbum;
    reply: Album;
  };
  /** Lists the albums of a profile, newest first. */
  "album.listByProfile": {
    kind: "query";
    args: ListAlbums;
    reply: AlbumPage;
  };
  /** Lists the photos of an album that the caller may see, the latest that was put in first. */
  "album.listPhotos": {
    kind: "query";
    args: ListAlbumPhotos;
    reply: PhotoPage;
  };
  /** Takes photos out of an album: its owner any, who contributes their own. */
  "album.removePhotos": {
    kind: "procedure";
    args: ChangePhotos;
    reply: ChangedPhotos;
  };
  /** Changes title, text and audience. */
  "album.update": {
    kind: "procedure";
    args: UpdateAlbum;
    reply: Album;
  };
  /** Shows the app's name, languages, features and limits, and the oldest build that works. */
  "app.getInfo": {
    kind: "query";
    args: Empty;
    reply: Info;
  };
  /** Shows the app's own node and link types, and the events that methods cause. */
  "app.getSchema": {
    kind: "query";
    args: Empty;
    reply: AppSchema;
  };
  /** Changes my password; all my other sessions end. */
  "auth.changePassword": {
    kind: "procedure";
    args: ChangePassword;
    reply: Empty;
  };
  /** Confirms an e-mail address with the code that was sent there. */
  "auth.confirmCode": {
    kind: "procedure";
    args: ConfirmCode;
    reply: Empty;
  };
  /** Signs up with handle or e-mail address and a password, and opens a session; a guest keeps its profile. */
  "auth.createAccount": {
    kind: "procedure";
    args: CreateAccount;
    reply: Opened;
  };
  /** Makes a guest profile for this device and opens a session. */
  "auth.createGuest": {
    kind: "procedure";
    args: CreateGuest;
    reply: Opened;
  };
  /** Signs in with a password or a one-time code; the client picks the session's id. */
  "auth.createSession": {
    kind: "procedure";
    args: CreateSession;
    reply: Opened;
  };
  /** Signs out everywhere else. */
  "auth.deleteOtherSessions": {
    kind: "procedure";
    args: Empty;
    reply: Empty;
  };
  /** Signs out this device, or another one by its session. */
  "auth.deleteSession": {
    kind: "procedure";
    args: DeleteSession;
    reply: Empty;
  };
  /** Says who I am: profile, device, roles, and until when the session lasts. */
  "auth.getSession": {
    kind: "query";
    args: Empty;
    reply: Me;
  };
  /** Lists my open sessions with their devices. */
  "auth.listSessions": {
    kind: "query";
    args: Empty;
    reply: MySessionPage;
  };
  /** Exchanges a refresh token for the next pair; the old one stays good until the new pair is first used. */
  "auth.refreshSession": {
    kind: "procedure";
    args: RefreshSession;
    reply: Opened;
  };
  /** Sends a one-time code by e-mail, to sign in, to confirm the address or to set a new password. */
  "auth.requestCode": {
    kind: "procedure";
    args: RequestCode;
    reply: CodeRequested;
  };
  /** Sets a new password with a code; all sessions end. */
  "auth.resetPassword": {
    kind: "procedure";
    args: ResetPassword;
    reply: Empty;
  };
  /** Runs up to 50 calls in order, each with its own result; they are no transaction. */
  "batch.run": {
    kind: "procedure";
    args: Batch;
    reply: Results;
  };
  /** Blocks a profile: ends follows both ways, and hides both from each other everywhere. */
  "block.create": {
    kind: "procedure";
    args: Other;
    reply: Relation;
  };
  /** Mutes a profile, thread, chat, tag or word, until a time or for good. */
  "block.createMute": {
    kind: "procedure";
    args: CreateMute;
    reply: Mute;
  };
  /** Lifts my block of a profile; follows do not come back. */
  "block.delete": {
    kind: "procedure";
    args: Other;
    reply: Relation;
  };
  /** Takes a mute back. */
  "block.deleteMute": {
    kind: "procedure";
    args: DeleteMute;
    reply: Empty;
  };
  /** Lists whom I block, newest first. */
  "block.list": {
    kind: "query";
    args: ListMine;
    reply: BlockedPage;
  };
  /** Lists what I mute, newest first. */
  "block.listMutes": {
    kind: "query";
    args: ListMine;
    reply: MutedPage;
  };
  /** Adds up to 80 members to a group. */
  "chat.addMembers": {
    kind: "procedure";
    args: ChangeMembers;
    reply: ChangedMembers;
  };
  /** Opens a group with a title and up to 80 members; its maker is its owner. */
  "chat.create": {
    kind: "procedure";
    args: CreateChat;
    reply: Chat;
  };
  /** Deletes a message for all, for me only, or for me with all that came before it. */
  "chat.deleteMessage": {
    kind: "procedure";
    args: DeleteMessage;
    reply: DeletedMessage;
  };
  /** Shows a chat with my read mark, what is unread and the newest message. */
  "chat.get": {
    kind: "query";
    args: GetChat;
    reply: Chat;
  };
  /** Counts unread chats, messages and mentions in one call. */
  "chat.getUnread": {
    kind: "query";
    args: Empty;
    reply: UnreadChats;
  };
  /** Leaves a group; nothing of it is shown to me any more. */
  "chat.leave": {
    kind: "procedure";
    args: LeaveChat;
    reply: LeftChat;
  };
  /** Lists my chats by what last happened in them, with what is unread. */
  "chat.list": {
    kind: "query";
    args: ListChats;
    reply: ChatPage;
  };
  /** Lists members with their roles and read marks, newest first. */
  "chat.listMembers": {
    kind: "query";
    args: ListMembers;
    reply: ChatMemberPage;
  };
  /** Lists messages before, after or around a place. */
  "chat.listMessages": {
    kind: "query";
    args: ListMessages;
    reply: MessagePage;
  };
  /** Moves my read mark forward; what is unread follows from it. */
  "chat.markRead": {
    kind: "procedure";
    args: MarkRead;
    reply: ReadMark;
  };
  /** Gives the one direct chat with a profile, which is made if there is none. */
  "chat.openDirect": {
    kind: "procedure";
    args: OpenDirect;
    reply: Chat;
  };
  /** Removes up to 80 members from a group; nothing of it is shown to them any more. */
  "chat.removeMembers": {
    kind: "procedure";
    args: ChangeMembers;
    reply: ChangedMembers;
  };
  /** Sends text, a link, a place or a shared object; the chat's own order counts, and no clock. */
  "chat.sendMessage": {
    kind: "procedure";
    args: SendMessage;
    reply: Message;
  };
  /** Makes a member an owner, a moderator or a plain member of a group. */
  "chat.setMemberRole": {
    kind: "procedure";
    args: SetMemberRole;
    reply: MemberRole;
  };
  /** Says for 5 s that I am writing something, to those members who are connected. */
  "chat.setTyping": {
    kind: "procedure";
    args: SetTyping;
    reply: Typing;
  };
  /** Changes a group's title and who may write. */
  "chat.update": {
    kind: "procedure";
    args: UpdateChat;
    reply: Chat;
  };
  /** Edits a message of mine; its place stays. */
  "chat.updateMessage": {
    kind: "procedure";
    args: UpdateMessage;
    reply: Message;
  };
  /** Checks in at a place, for an audience that is chosen per check-in. */
  "checkin.create": {
    kind: "procedure";
    args: CreateCheckIn;
    reply: CheckIn;
  };
  /** Adds a place that people can check in at; everybody can find it. */
  "checkin.createPlace": {
    kind: "procedure";
    args: CreatePlace;
    reply: CheckInPlace;
  };
  /** Deletes a check-in for ever. */
  "checkin.delete": {
    kind: "procedure";
    args: DeleteCheckIn;
    reply: DeletedCheckIn;
  };
  /** Shows one check-in with its place. */
  "checkin.get": {
    kind: "query";
    args: GetCheckIn;
    reply: CheckIn;
  };
  /** Shows one place with the number of public check-ins. */
  "checkin.getPlace": {
    kind: "query";
    args: GetPlace;
    reply: CheckInPlace;
  };
  /** Lists who was at a place, as far as the caller may know, newest first. */
  "checkin.listByPlace": {
    kind: "query";
    args: ListCheckIns;
    reply: CheckInPage;
  };
  /** Lists where a profile checked in, as far as the caller may know, newest first. */
  "checkin.listByProfile": {
    kind: "query";
    args: ListCheckIns;
    reply: CheckInPage;
  };
  /** Finds places by name, around a point, or both. */
  "checkin.searchPlaces": {
    kind: "query";
    args: SearchPlaces;
    reply: FoundPlaces;
  };
  /** Removes a device of mine, and signs it out. */
  "device.delete": {
    kind: "procedure";
    args: DeleteDevice;
    reply: Empty;
  };
  /** Drops the address at which a device of mine is reached by push. */
  "device.deletePushToken": {
    kind: "procedure";
    args: DeletePushToken;
    reply: Empty;
  };
  /** Lists my devices, with how they are reached by push and how that went. */
  "device.list": {
    kind: "query";
    args: Empty;
    reply: DevicePage;
  };
  /** Makes a device known, or changes what is known of it, by its installation id. */
  "device.register": {
    kind: "procedure";
    args: DeviceArgs;
    reply: Device;
  };
  /** Says where a device of mine that is signed in is reached by push. An address moves: it is never that of two devices. */
  "device.setPushToken": {
    kind: "procedure";
    args: SetPushToken;
    reply: PushToken;
  };
  /** Accepts somebody's request to follow me. */
  "follow.accept": {
    kind: "procedure";
    args: Other2;
    reply: Relation;
  };
  /** Follows a profile, or asks to if it is private. */
  "follow.create": {
    kind: "procedure";
    args: Other2;
    reply: Relation;
  };
  /** Stops following a profile, or takes the request back. */
  "follow.delete": {
    kind: "procedure";
    args: Other2;
    reply: Relation;
  };
  /** Shows my relation to up to 100 profiles. */
  "follow.getRelations": {
    kind: "query";
    args: GetRelations;
    reply: Relations;
  };
  /** Lists who follows a profile, newest first. */
  "follow.listFollowers": {
    kind: "query";
    args: ListOf;
    reply: ProfilePage;
  };
  /** Lists whom a profile follows, newest first. */
  "follow.listFollowing": {
    kind: "query";
    args: ListOf;
    reply: ProfilePage;
  };
  /** Lists requests that wait for me, or mine that wait for others, newest first. */
  "follow.listRequests": {
    kind: "query";
    args: ListRequests;
    reply: FollowRequestPage;
  };
  /** Rejects somebody's request to follow me. */
  "follow.reject": {
    kind: "procedure";
    args: Other2;
    reply: Relation;
  };
  /** Changes a link's type in one step, keeping its time and data. */
  "graph.changeLinkType": {
    kind: "procedure";
    args: ChangeLinkType;
    reply: GraphLink;
  };
  /** Counts a link list. */
  "graph.countLinks": {
    kind: "query";
    args: CountLinks;
    reply: LinkTotal;
  };
  /** Removes a link, and its inverse. */
  "graph.deleteLink": {
    kind: "procedure";
    args: DeleteLink;
    reply: DeletedLink;
  };
  /** Deletes a node for ever. Its links stay until they are deleted. */
  "graph.deleteNode": {
    kind: "procedure";
    args: DeleteNode;
    reply: Deleted;
  };
  /** Shows the links from one end to up to 100 others. */
  "graph.getLinks": {
    kind: "query";
    args: GetLinks;
    reply: Links;
  };
  /** Shows up to 100 nodes by id; those that the caller may not see are left out. */
  "graph.getNodes": {
    kind: "query";
    args: GetNodes;
    reply: Nodes;
  };
  /** Lists links newest first, by limit and time window. */
  "graph.listLinks": {
    kind: "query";
    args: ListLinks;
    reply: LinkList;
  };
  /** Lists the declared types. */
  "graph.listTypes": {
    kind: "query";
    args: Empty;
    reply: TypeList;
  };
  /** Changes attributes of a node; each goes to its own latest edit. */
  "graph.patchNode": {
    kind: "procedure";
    args: PatchNode;
    reply: GraphNode;
  };
  /** Adds a link or changes its data; the inverse follows. */
  "graph.putLink": {
    kind: "procedure";
    args: PutLink;
    reply: GraphLink;
  };
  /** Makes a node, or replaces all its attributes. */
  "graph.putNode": {
    kind: "procedure";
    args: PutNode;
    reply: GraphNode;
  };
  /** Declares a node or link type: its attributes, who may read and who may write. */
  "graph.putType": {
    kind: "procedure";
    args: PutType;
    reply: TypeView;
  };
  /** Sends events that happen from now on to an address, signed as Standard Webhooks says. The secret is in the first reply only, never in a repeated one. */
  "hook.create": {
    kind: "procedure";
    args: NewHook;
    reply: HookView;
  };
  /** Removes a hook for ever. What is under way to it may still arrive. */
  "hook.delete": {
    kind: "procedure";
    args: WhichHook;
    reply: Deleted2;
  };
  /** Lists the app's hooks, with how their deliveries go, never their secrets. */
  "hook.list": {
    kind: "query";
    args: Empty;
    reply: Hooks;
  };
  /** Reads what happened in the app since a cursor: the events that hooks are sent, in order within each slice of the data. Without a cursor everything that there is comes first. */
  "hook.readEvents": {
    kind: "query";
    args: ReadEvents;
    reply: Events;
  };
  /** Takes my reaction back. */
  "like.delete": {
    kind: "procedure";
    args: DeleteLike;
    reply: MyLike;
  };
  /** Counts reactions per kind, with my own, for up to 100 posts. */
  "like.getCounts": {
    kind: "query";
    args: GetCounts;
    reply: ManyCounts;
  };
  /** Lists who reacted to a post, newest first. */
  "like.list": {
    kind: "query";
    args: ListLikes;
    reply: LikePage;
  };
  /** Likes a post, an item of news or a tracked tweet, optionally with a kind of reaction; once per profile and object. */
  "like.put": {
    kind: "procedure";
    args: PutLike;
    reply: MyLike;
  };
  /** Opens a resumable upload. Bytes that the app has already finish at once; else they go to an address that is good for 24 hours and needs no headers: PUT the whole, or parts with `Upload-Offset`; HEAD tells the offset. */
  "media.createUpload": {
    kind: "procedure";
    args: CreateUpload;
    reply: Upload;
  };
  /** Checks size, hash and type of what has come, takes out of pictures what the camera wrote about itself, and makes smaller sizes. */
  "media.finishUpload": {
    kind: "procedure";
    args: FinishUpload;
    reply: Media;
  };
  /** Shows facts and addresses of one media, its smaller sizes included. */
  "media.get": {
    kind: "query";
    args: GetMedia;
    reply: Media;
  };
  /** Tells how far an upload got. */
  "media.getUpload": {
    kind: "query";
    args: GetUpload;
    reply: Upload;
  };
  /** Uploads one part at an offset; its body is the bytes. What has come already may come again. */
  "media.putPart": {
    kind: "procedure";
    args: PutPart;
    reply: Progress;
  };
  /** Gives an open case to a moderator, or to nobody. */
  "moderation.assign": {
    kind: "procedure";
    args: Assign;
    reply: Assigned;
  };
  /** Bans a profile, a device or a range of addresses, until a time or for good. */
  "moderation.ban": {
    kind: "procedure";
    args: NewBan;
    reply: Ban;
  };
  /** Lists the bans in force, the latest first. */
  "moderation.listBans": {
    kind: "query";
    args: ListBans;
    reply: BanPage;
  };
  /** Lists what moderators decided, the latest first. Each page is checked against the chain of hashes; a log that was changed is answered with `corrupt`. */
  "moderation.listLog": {
    kind: "query";
    args: ListLog;
    reply: DecisionPage;
  };
  /** Lists open cases, each with its latest reports: the oldest first, or those that most people reported. */
  "moderation.listQueue": {
    kind: "query";
    args: ListQueue;
    reply: CasePage;
  };
  /** Takes a post down. Its author still sees it, with the reason. */
  "moderation.removeContent": {
    kind: "procedure";
    args: RemoveContent;
    reply: ContentState;
  };
  /** Reports a profile or a post to the app's moderators. Who is reported does not learn of it. */
  "moderation.report": {
    kind: "procedure";
    args: NewReport;
    reply: Report;
  };
  /** Closes up to 50 cases with an outcome. A case that is closed already is left as it is. */
  "moderation.resolve": {
    kind: "procedure";
    args: Resolve;
    reply: Resolved;
  };
  /** Puts a post back that was taken down. */
  "moderation.restoreContent": {
    kind: "procedure";
    args: RestoreContent;
    reply: ContentState;
  };
  /** Lifts a ban. There is none: the same reply. */
  "moderation.unban": {
    kind: "procedure";
    args: Unban;
    reply: Unbanned;
  };
  /** Tracks an RSS, Atom or JSON feed: it is read now and again, and its items are kept. */
  "news.createFeed": {
    kind: "procedure";
    args: CreateFeed;
    reply: NewsFeed;
  };
  /** Stops tracking a feed; its items go with it. */
  "news.deleteFeed": {
    kind: "procedure";
    args: DeleteFeed;
    reply: DeletedFeed;
  };
  /** Shows one item with the likes and replies that were made here. */
  "news.get": {
    kind: "query";
    args: GetNews;
    reply: NewsItem;
  };
  /** Lists items of one feed or of all, those found last first. */
  "news.list": {
    kind: "query";
    args: ListNews;
    reply: NewsItemPage;
  };
  /** Lists the feeds of this app, those added last first. */
  "news.listFeeds": {
    kind: "query";
    args: ListFeeds;
    reply: NewsFeedPage;
  };
  /** Writes a private note, optionally about an object of any kind. */
  "note.create": {
    kind: "procedure";
    args: CreateNote;
    reply: Note;
  };
  /** Deletes a note for ever. */
  "note.delete": {
    kind: "procedure";
    args: DeleteNote;
    reply: DeletedNote;
  };
  /** Shows one note of mine, with the texts that other devices wrote at the same time. */
  "note.get": {
    kind: "query";
    args: GetNote;
    reply: Note;
  };
  /** Lists my notes, the one changed last first; all, or those about one object. */
  "note.list": {
    kind: "query";
    args: ListNotes;
    reply: NotePage;
  };
  /** Edits a note; texts that were written at the same time are both kept until one is chosen. */
  "note.update": {
    kind: "procedure";
    args: UpdateNote;
    reply: Note;
  };
  /** Dismisses one notification or its whole group, on all my devices, for ever. */
  "notification.delete": {
    kind: "procedure";
    args: DeleteNotification;
    reply: DeletedNotification;
  };
  /** Shows which kinds of notifications I want. */
  "notification.getPreferences": {
    kind: "query";
    args: Empty;
    reply: Preferences;
  };
  /** Counts notifications that I have not seen: the badge's number. */
  "notification.getUnread": {
    kind: "query";
    args: Empty;
    reply: Badge;
  };
  /** Lists what I am told of, grouped by thing and day, newest first. */
  "notification.list": {
    kind: "query";
    args: ListNotifications;
    reply: NotificationPage;
  };
  /** Marks one notification, a group, or all up to a place as read, on all my devices. */
  "notification.markRead": {
    kind: "procedure";
    args: MarkRead2;
    reply: Read;
  };
  /** I opened the notification centre: the badge goes to zero on all my devices. */
  "notification.markSeen": {
    kind: "procedure";
    args: MarkSeen;
    reply: Seen;
  };
  /** Says which kinds of notifications I want. */
  "notification.setPreferences": {
    kind: "procedure";
    args: SetPreferences;
    reply: Preferences;
  };
  /** Says of up to 100 calls whether I may make them, and if not, why. */
  "permission.check": {
    kind: "query";
    args: CheckInput;
    reply: Checked;
  };
  /** Shows for whom a post or my profile is. */
  "permission.getAudience": {
    kind: "query";
    args: GetAudience;
    reply: AudienceView;
  };
  /** Shows my roles, and the methods that they allow. */
  "permission.getMine": {
    kind: "query";
    args: Empty;
    reply: Mine;
  };
  /** Gives a role to a profile, until a time or for good. */
  "permission.grantRole": {
    kind: "procedure";
    args: GrantRole;
    reply: Grant;
  };
  /** Makes a role of the app's own, or changes which methods its holders may call. */
  "permission.putRole": {
    kind: "procedure";
    args: PutRole;
    reply: RoleView;
  };
  /** Takes a role back. */
  "permission.revokeRole": {
    kind: "procedure";
    args: RevokeRole;
    reply: Grant;
  };
  /** Says for whom a post or my profile is. */
  "permission.setAudience": {
    kind: "procedure";
    args: SetAudience;
    reply: AudienceView;
  };
  /** Publishes a finished upload as a photo, with caption, text for who cannot see it, place and people. */
  "photo.create": {
    kind: "procedure";
    args: CreatePhoto;
    reply: Photo;
  };
  /** Deletes a photo for ever, and its bytes when nothing else shows them. */
  "photo.delete": {
    kind: "procedure";
    args: DeletePhoto;
    reply: DeletedPhoto;
  };
  /** Shows one photo with its sizes, blur hash, and the people on it. */
  "photo.get": {
    kind: "query";
    args: GetPhoto;
    reply: Photo;
  };
  /** Lists the photos of a profile, newest first. */
  "photo.listByProfile": {
    kind: "query";
    args: ListProfilePhotos;
    reply: PhotoPage;
  };
  /** Says who is on a photo, and where; that person is told, and may take it back. */
  "photo.tagProfile": {
    kind: "procedure";
    args: TagProfile;
    reply: Tagged;
  };
  /** Takes back who is on a photo: its author may, and the person. */
  "photo.untagProfile": {
    kind: "procedure";
    args: UntagProfile;
    reply: Tagged;
  };
  /** Changes caption, text for who cannot see it, place and audience. */
  "photo.update": {
    kind: "procedure";
    args: UpdatePhoto;
    reply: Photo;
  };
  /** Publishes text with media, link, place, mentions and tags, for an audience that is chosen per post. */
  "post.create": {
    kind: "procedure";
    args: CreatePost;
    reply: Post;
  };
  /** Deletes a post for ever. */
  "post.delete": {
    kind: "procedure";
    args: DeletePost;
    reply: Deleted3;
  };
  /** Shows one post with its reactions and the caller's own. */
  "post.get": {
    kind: "query";
    args: GetPost;
    reply: Post;
  };
  /** Shows up to 100 posts by id; those that the caller may not see are left out. */
  "post.getMany": {
    kind: "query";
    args: GetPosts;
    reply: Posts;
  };
  /** Lists the posts of a profile, newest first. */
  "post.listByProfile": {
    kind: "query";
    args: ListByProfile;
    reply: PostPage;
  };
  /** Lists the public posts that carry a tag, newest first. */
  "post.listByTag": {
    kind: "query";
    args: ListByTag;
    reply: PostPage;
  };
  /** Edits a post; older revisions are kept. */
  "post.update": {
    kind: "procedure";
    args: UpdatePost;
    reply: Post;
  };
  /** Says whether a handle is well formed and free. */
  "profile.checkHandle": {
    kind: "query";
    args: CheckHandle;
    reply: HandleState;
  };
  /** Shows one profile, by id or handle, with the caller's relation to it. */
  "profile.get": {
    kind: "query";
    args: GetProfile;
    reply: Profile;
  };
  /** Shows up to 100 profiles in the order asked, and marks those that are missing. */
  "profile.getMany": {
    kind: "query";
    args: GetProfiles;
    reply: Profiles;
  };
  /** Lists the people of the app, newest first. */
  "profile.list": {
    kind: "query";
    args: ListProfiles2;
    reply: ProfilePage;
  };
  /** Lists who of up to 200 profiles is there, as far as I may see them. */
  "profile.listPresence": {
    kind: "query";
    args: ListPresence;
    reply: Presences;
  };
  /** Shows a finished upload as one's picture, or as the picture behind the profile; `null` takes it away. */
  "profile.setAvatar": {
    kind: "procedure";
    args: SetAvatar;
    reply: Profile;
  };
  /** Takes a unique handle, and frees the one before. */
  "profile.setHandle": {
    kind: "procedure";
    args: SetHandle;
    reply: Profile;
  };
  /** Says for a while that I am there, away or hidden; it is not stored, and ends by itself. */
  "profile.setPresence": {
    kind: "procedure";
    args: SetPresence;
    reply: PresenceOf;
  };
  /** Changes name, text, links, the app's own fields, and whether the profile is private. */
  "profile.update": {
    kind: "procedure";
    args: UpdateProfile;
    reply: Profile;
  };
  /** Asks push services whether they take the app's credentials, without sending anything to anybody. */
  "push.checkCredentials": {
    kind: "procedure";
    args: Empty;
    reply: Checked2;
  };
  /** Says that I opened this push. */
  "push.confirmOpened": {
    kind: "procedure";
    args: ConfirmOpened;
    reply: Empty;
  };
  /** Shows one push to one device: queued, sent, accepted, failed with the service's reason, opened. */
  "push.getDelivery": {
    kind: "query";
    args: GetDelivery;
    reply: DeliveryView;
  };
  /** Puts the app's accounts at push services: what is absent stays, null goes. Secrets are never shown again. */
  "push.setCredentials": {
    kind: "procedure";
    args: SetCredentials;
    reply: Credentials;
  };
  /** Gives a token for one `realtime.subscribe` of a client that cannot set headers. */
  "realtime.getToken": {
    kind: "procedure";
    args: Empty;
    reply: LiveToken;
  };
  /** Streams changes as they happen, from a cursor or from now on, as server-sent events or over a WebSocket; and who types or is there. */
  "realtime.subscribe": {
    kind: "query";
    args: Subscribe;
    reply: Item;
  };
  /** Replies to a post, an item of news, a tracked tweet or another reply. */
  "reply.create": {
    kind: "procedure";
    args: CreateReply;
    reply: Comment;
  };
  /** Deletes a reply for ever; replies to it stay, under what is left of it. */
  "reply.delete": {
    kind: "procedure";
    args: OneReply;
    reply: DeletedReply;
  };
  /** Shows one reply with those that it goes back to. */
  "reply.get": {
    kind: "query";
    args: OneReply;
    reply: ReplyInThread;
  };
  /** Lists the replies to a post or to a reply, oldest or newest first. */
  "reply.list": {
    kind: "query";
    args: ListReplies;
    reply: CommentPage;
  };
  /** Edits a reply. */
  "reply.update": {
    kind: "procedure";
    args: UpdateReply;
    reply: Comment;
  };
  /** Finds people, posts, photos and places by words, the first few of each. */
  "search.findAll": {
    kind: "query";
    args: FindAll;
    reply: FoundAll;
  };
  /** Finds photos and albums by words, author, who is on them and time, newest first. */
  "search.findPhotos": {
    kind: "query";
    args: FindPhotos;
    reply: Found_FoundPhoto;
  };
  /** Finds posts and replies by words, author, tag and time, newest first. */
  "search.findPosts": {
    kind: "query";
    args: FindPosts;
    reply: Found_FoundPost;
  };
  /** Finds people by how the words of their handle and name begin, and by words of their profile, the best first. */
  "search.findProfiles": {
    kind: "query";
    args: FindProfiles;
    reply: Found_Profile;
  };
  /** Completes what somebody is writing: people to mention, tags and places. */
  "search.suggest": {
    kind: "query";
    args: Suggest;
    reply: Suggestions;
  };
  /** Shares a post, check-in, place or profile in the app, with or without a comment. */
  "share.create": {
    kind: "procedure";
    args: CreateShare;
    reply: Share2;
  };
  /** Makes my short link to an object, the same one each time, with tags for a preview. */
  "share.createLink": {
    kind: "procedure";
    args: CreateLink;
    reply: ShortLink;
  };
  /** Takes a share back for ever. */
  "share.delete": {
    kind: "procedure";
    args: DeleteShare;
    reply: DeletedShare;
  };
  /** Shows where a short link leads, to whoever may see it. */
  "share.getLink": {
    kind: "query";
    args: GetLink;
    reply: ShortLink;
  };
  /** Shows a page of the web in brief: title, picture, site. The server asks it, now and then. */
  "share.getPreview": {
    kind: "query";
    args: GetPreview;
    reply: PagePreview;
  };
  /** Lists who shared an object, as far as the caller may know, newest first. */
  "share.list": {
    kind: "query";
    args: ListShares;
    reply: SharePage;
  };
  /** Shows up to 200 entities; those that are as the caller knows them are only named. */
  "sync.getEntities": {
    kind: "query";
    args: GetEntities;
    reply: Entities;
  };
  /** Sends what there is, for a first start, and the cursor to go on from with `sync.pull`. */
  "sync.getSnapshot": {
    kind: "query";
    args: GetSnapshot;
    reply: Changes;
  };
  /** Shows a cursor that is up to date, how long the server remembers deletions, and its time. */
  "sync.getStatus": {
    kind: "query";
    args: Empty;
    reply: Status2;
  };
  /** Sends everything that changed for me since a cursor, and waits for it if asked to. */
  "sync.pull": {
    kind: "query";
    args: Pull;
    reply: Changes;
  };
  /** Carries out a queue of operations in order; each counts once, however often it is sent. */
  "sync.push": {
    kind: "procedure";
    args: Push2;
    reply: Pushed;
  };
  /** Says whether the server takes requests, and what time it is there. */
  "system.getHealth": {
    kind: "query";
    args: Empty;
    reply: Health;
  };
  /** Shows my rate limits and what is left of them. */
  "system.getLimits": {
    kind: "query";
    args: Empty;
    reply: MyLimits;
  };
  /** Gives the OpenAPI 3.1 document of this server. */
  "system.getOpenApi": {
    kind: "query";
    args: Empty;
    reply: unknown;
  };
  /** Lists every error code with its meaning and what to do. */
  "system.listErrors": {
    kind: "query";
    args: Empty;
    reply: ErrorList;
  };
  /** Shows the public activity of the whole app, newest first. */
  "timeline.getApp": {
    kind: "query";
    args: Fetch;
    reply: TimelinePage;
  };
  /** Shows my home timeline: what those whom I follow published, and I. */
  "timeline.getHome": {
    kind: "query";
    args: Fetch;
    reply: TimelinePage;
  };
  /** Shows how far I have read my timelines, on every device, and what is unread. */
  "timeline.getMarkers": {
    kind: "query";
    args: Empty;
    reply: Markers;
  };
  /** Shows everything that a profile published. */
  "timeline.getProfile": {
    kind: "query";
    args: FetchProfile;
    reply: TimelinePage;
  };
  /** Remembers how far I have read a timeline; it moves forward only. */
  "timeline.setMarker": {
    kind: "procedure";
    args: SetMarker;
    reply: Marker;
  };
  /** Tracks an account or a tag at a server of Mastodon or at X, or a search at X. */
  "tweet.createTrack": {
    kind: "procedure";
    args: CreateTrack;
    reply: TweetTrack;
  };
  /** Stops tracking; the tweets that were found go with it. */
  "tweet.deleteTrack": {
    kind: "procedure";
    args: DeleteTrack;
    reply: DeletedTrack;
  };
  /** Shows one tweet with the likes and replies that were made here. */
  "tweet.get": {
    kind: "query";
    args: GetTweet;
    reply: Tweet;
  };
  /** Lists tweets of one track or of all, those found last first. */
  "tweet.list": {
    kind: "query";
    args: ListTweets;
    reply: TweetPage;
  };
  /** Lists what this app tracks, what was added last first. */
  "tweet.listTracks": {
    kind: "query";
    args: ListTracks;
    reply: TweetTrackPage;
  };
}

/** An account's name, without an `@` in front: at Mastodon `name` or `name@server`. */
export type AccountName = string;

/** Settings of a person. */
export type AccountSettings = {
  /** Who sees what I publish without saying for whom. Absent: as the app has it. */
  defaultAudience?: Audience | null;
  /** How often I want a summary. The server itself sends none: it is for whoever does, with the app's server key. */
  digest: Digest;
  /** At which hour of my day, 0 to 23. 8 unless it was changed. */
  digestHour: Hour;
  /** When anything of it was last edited. Absent as long as nothing was. */
  editedAt?: string | null;
  /** The language to be spoken to in. Absent: the app's usual one. */
  language?: Language | null;
  /** The revision. Absent as long as nothing was changed. */
  rev?: Rev | null;
  /** Whether others may see that I am there. True unless it was changed. */
  showPresence: boolean;
  /** The time zone to reckon days in. Absent: that of the device. */
  timeZone?: TimeZone | null;
};

/** What was decided. */
export type Action = "assigned" | "resolved" | "removed" | "restored" | "banned" | "unbanned";

/** What people did to a thing in one way on one day. */
export type ActivityGroup = {
  /** Who did it: up to 3, the latest first. */
  actors: Array<Thing>;
  /** How many people did it that day, among the 1,000 activities that a page looks at. */
  count: number;
  /** The id of the latest activity of the group. */
  latest: string;
  /** The address of the thing: like `gomer:post:UUID`. */
  object: string;
  /** When that came. */
  published: string;
  /** What they did. */
  verb: Verb;
};

/** A page of a list. */
export type ActivityGroupPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<ActivityGroup>;
};

/** An album. */
export type Album = {
  /** What it is about. */
  about?: string | null;
  /** Who may see it. */
  audience: Audience;
  /** Who made it. */
  author: string;
  /** Who else may put photos in. */
  contributors: Array<string>;
  /** What it has. */
  counts: AlbumCounts;
  /** The latest photo that the caller may see. */
  cover?: Media | null;
  /** When it was made, by the server's clock. */
  createdAt: string;
  /** When it was last edited. */
  editedAt?: string | null;
  /** Its id, chosen by the owner's device. */
  id: string;
  /** A moderator took it down; only its owner still sees it. */
  removed?: boolean;
  /** Its revision. Its photos do not change it. */
  rev: Rev;
  /** Its title. */
  title: string;
};

/** What an album has. */
export type AlbumCounts = {
  /** Photos, also those that the caller may not see. */
  photos: number;
};

/** A page of a list. */
export type AlbumPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Album>;
};

/** A reply that another one goes back to. */
export type Ancestor = {
  /** Its id. */
  id: string;
  /** The reply; absent if the caller may not see it. */
  reply?: Comment | null;
};

/** A key for Apple's service. */
export type ApnsArgs = {
  /** The key's id: 10 characters. */
  keyId: string;
  /** The key: what the `.p8` file holds. */
  privateKey: string;
  /** The team's id: 10 characters. */
  teamId: string;
  /** The bundle's identifier, like `org.example.app`. */
  topic: string;
};

/** A key for Apple's service, without the key. */
export type ApnsView = {
  /** The key's id. */
  keyId: string;
  /** The team's id. */
  teamId: string;
  /** The bundle's identifier. */
  topic: string;
};

/** Types and events. */
export type AppSchema = {
  /** Events, with the methods that cause each. */
  events: Record<string, Array<string>>;
  /** The app's own node and link types, by name: as they were declared with `graph.putType`. */
  types: Record<string, unknown>;
};

/** The settings of an app. */
export type AppSettings = {
  /** Facts for clients, shown by `app.getInfo`. */
  client: Client;
  /** Which web pages may call from a browser. */
  cors: Cors;
  /** Who sees a post whose author does not say. */
  defaultAudience: DefaultAudience;
  /** How people leave. */
  deletion: Deletion2;
  /** Whether people may use the app as guests, without an account. */
  guests: Guests;
  /** What handles may be. */
  handles: Handles;
  /** What hooks may do. */
  hooks: HookSettings;
  /** Identity providers (OpenID Connect) whose accounts people may link and sign in with; at most 10. */
  providers: Array<Provider>;
  /** What push services may see. */
  push: Push;
  /** Limits on how often may be called. */
  rates: Rates;
  /** How much of the streams is kept. */
  retention: Retention;
  /** Who may make an account. */
  signUp: SignUp;
};

/** The settings of an app. */
export type AppSettingsInput = {
  /** Facts for clients, shown by `app.getInfo`. */
  client?: ClientInput;
  /** Which web pages may call from a browser. */
  cors?: CorsInput;
  /** Who sees a post whose author does not say. */
  defaultAudience?: DefaultAudience;
  /** How people leave. */
  deletion?: DeletionInput;
  /** Whether people may use the app as guests, without an account. */
  guests?: Guests;
  /** What handles may be. */
  handles?: HandlesInput;
  /** What hooks may do. */
  hooks?: HookSettingsInput;
  /** Identity providers (OpenID Connect) whose accounts people may link and sign in with; at most 10. */
  providers?: Array<Provider>;
  /** What push services may see. */
  push?: PushInput;
  /** Limits on how often may be called. */
  rates?: RatesInput;
  /** How much of the streams is kept. */
  retention?: RetentionInput;
  /** Who may make an account. */
  signUp?: SignUp;
};

/** What was used. */
export type AppUsage = {
  /** As of when. */
  asOf: string;
  /** By day, the newest first; days without calls are left out. All members together. What members counted within the last minute may be missing, and what one counted in the minute before it was killed is. */
  days: Array<DayUsed>;
  /** What the member that answers has counted and not added to its day yet. */
  pending: Counted;
  /** How often may be called, as it is in force now. Empty if calls are not limited. */
  rates: Array<RateInForce>;
  /** What the member that answers has counted since it was started. */
  sinceStart: Counted;
  /** What is stored. */
  storage: Storage;
};

/** An app. */
export type AppView = {
  /** When it was made. */
  createdAt: string;
  /** The id it was created with. */
  id: string;
  /** Keys that are not revoked. */
  keys: number;
  /** Its name in addresses. */
  name: string;
  /** Its revision: title and state. */
  rev: Rev;
  /** What it may do. */
  state: State;
  /** What people read. */
  title: string;
};

/** A page of a list. */
export type AppViewPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<AppView>;
};

/** Whose a case is to be. */
export type Assign = {
  /** What was reported. */
  object: Object;
  /** The moderator who is to have it; nobody, if absent. */
  to?: string | null;
};

/** Who has a case. */
export type Assigned = {
  /** The moderator who has it. */
  assignee?: string | null;
  /** What was reported. */
  object: Object;
};

/** What an attribute holds. */
export type AttrKind = "string" | "number" | "boolean" | "array" | "object" | "any";

/** Who may read a post. */
export type Audience = "public" | "followers" | "onlyMe";

/** For whom something is. */
export type AudienceView = {
  /** For whom it is. A profile is for `public` or for `followers`, who are then asked for. */
  audience: Audience;
  /** What it is about. */
  object: Object;
  /** The object's revision. */
  rev: Rev;
};

/** A call that stands in the audit log. */
export type Audited = {
  /** When it was asked. */
  at: string;
  /** With which rights. */
  by: By2;
  /** The problem's code, if it failed. */
  code?: string | null;
  /** The method. */
  method: string;
  /** What came of it. */
  outcome: CameTo;
  /** Which person, or in whose name. Absent for the app's own server and for keys. */
  profile?: string | null;
  /** Ids, and names of roles, among its arguments; at most 20. */
  targets: Array<string>;
  /** The trace id, which the process's log and a problem have too. */
  trace: string;
};

/** A page of a list. */
export type AuditedPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Audited>;
};

/** What waits. */
export type Badge = {
  /** Notifications that I have neither seen nor read; 100 stands for more than 99. */
  unread: number;
};

/** How the members are loaded. */
export type BalanceView = {
  /** Partitions with two replicas in one zone. */
  crowded: number;
  /** By id. */
  members: Record<string, LoadView>;
  /** Partitions with fewer replicas than they should have. */
  short: number;
};

/** A ban. */
export type Ban = {
  /** Which moderator banned; absent for the app's server and administrators. */
  by?: string | null;
  /** Since when. */
  createdAt: string;
  /** Why. Moderators read this. */
  reason: string;
  /** Who or what is banned. */
  target: BanTarget;
  /** When it ends; absent: when it is lifted. */
  until?: string | null;
};

/** A page of a list. */
export type BanPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Ban>;
};

/** Who or what is banned: exactly one of them. */
export type BanTarget = {
  profile: string;
} | {
  device: string;
} | {
  address: string;
};

/** Calls. */
export type Batch = {
  /** Up to 50 calls. */
  calls: Array<Inner>;
  /** Do not go on after the first call that fails. */
  stopOnError?: boolean;
};

/** Somebody whom I block. What is shown is what it takes to tell whom to unblock. */
export type Blocked = {
  /** Since when. */
  createdAt: string;
  /** Its handle, unless it is gone or blocks me too. */
  handle?: string | null;
  /** The profile. */
  id: string;
  /** Its name, likewise. */
  name?: string | null;
};

/** A page of a list. */
export type BlockedPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Blocked>;
};

/** Who wanted it. */
export type By = "owner" | "admin";

/** With which rights a call was made. */
export type By2 = "profile" | "server" | "admin";

/** What became of a call. */
export type CallResult = {
  /** The problem's code, if it failed. */
  code?: string | null;
  /** Its operation id, if it had one. */
  op?: string | null;
  /** It was done before: this is the reply of then. */
  replayed?: boolean;
  /** In how many seconds to try again. */
  retryAfterS?: number | null;
  /** The entity's revision. */
  rev?: Rev | null;
  /** The HTTP status that it would have had as a call of its own. */
  status: number;
  /** The reply; where a revision was stale, the entity as it is now. */
  value?: unknown;
};

/** What came of a call. */
export type CameTo = "done" | "failed" | "unknown";

/** Which erasure to call off. */
export type CancelDeletion = Record<string, never>;

/** Whether anything is scheduled. */
export type Cancelled = {
  /** Always false. */
  scheduled: boolean;
};

/** What was reported of one thing. */
export type Case = {
  /** The moderator who has it. */
  assignee?: string | null;
  /** What was reported. */
  object: Object;
  /** When it was first reported since then. */
  openedAt: string;
  /** The latest reports, at most 10, the newest first. */
  reports: Array<CaseReport>;
  /** How many people reported it since the case was last opened. */
  weight: number;
};

/** A page of a list. */
export type CasePage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Case>;
};

/** A report, as moderators see it. */
export type CaseReport = {
  /** When. */
  createdAt: string;
  /** Its id. */
  id: string;
  /** Why. */
  reason: Reason;
  /** Who reported. */
  reporter: string;
  /** In their words. */
  text?: string | null;
};

/** What may be staged. */
export type ChangeKind = "join" | "leave" | "replace" | "force-replace" | "force-remove" | "down" | "zone" | "weight";

/** A link to move to another list. */
export type ChangeLinkType = {
  /** What it starts from. */
  from: string;
  /** The type that it gets. Its links start from and lead to the same kinds. */
  newType: Name;
  /** What it leads to. */
  to: string;
  /** Its type now. */
  type: Name;
};

/** Whom to add or to remove. */
export type ChangeMembers = {
  /** The chat; a group. */
  chat: string;
  /** 1 to 80 profiles. */
  profiles: Array<string>;
};

/** The old password and the new one. */
export type ChangePassword = {
  /** The password until now. */
  current: string;
  /** The password from now on. */
  password: string;
};

/** Which photos. */
export type ChangePhotos = {
  /** The album. */
  id: string;
  /** 1 to 50 photos. */
  photos: Array<string>;
};

/** How one kind is to be told; what is absent stays. */
export type ChangePreference = {
  /** Whether it stands in the notification centre and counts as unread. */
  inApp?: boolean | null;
  /** Whether it is pushed to my devices. */
  push?: boolean | null;
};

/** A change that is staged. */
export type ChangeView = {
  /** Id of the member that takes its places. */
  by?: string | null;
  /** `join`, `leave`, `replace`, `force-replace`, `force-remove`, `down`, `zone` or `weight`. */
  change: string;
  /** Id of the member that it is about. */
  member: string;
  /** What people call it. */
  name: string;
  /** Its share of the load. */
  weight?: number | null;
  /** What it may fail together with. */
  zone?: string | null;
};

/** Who was added or removed. */
export type ChangedMembers = {
  /** Those of the profiles who were not, or no longer, members before. */
  changed: Array<string>;
  /** The chat. */
  chat: string;
  /** How many members the chat has now. */
  memberCount: number;
};

/** What was asked for is so. */
export type ChangedPhotos = {
  /** The album. */
  id: string;
  /** The photos that are in it now, or are not. */
  photos: Array<string>;
};

/** A page of changes. */
export type Changes = {
  /** Where the next page begins. Hand it back as it is. */
  cursor: string;
  /** Whether this was all there is. Only then is what the phone holds a state that the server had. */
  end: boolean;
  /** What changed. */
  items: Array<Item>;
  /** Up to where the cursor covers the caller's own profile, once it does: goes with what is queued from then on. */
  known?: KnownRoot | null;
};

/** A chat, as one of its members sees it. */
export type Chat = {
  /** When it was made, by the server's clock. */
  createdAt: string;
  /** Its id. */
  id: string;
  /** What it is. */
  kind: ChatKind;
  /** The newest message, if there is one that I may see. Absent in the replies of procedures. */
  last?: Message | null;
  /** How many members it has. */
  memberCount: number;
  /** I mute it: its messages do not count in `chat.getUnread`. */
  muted?: boolean;
  /** What I may do in it. */
  myRole: ChatRole;
  /** The place of the newest message that I have read; absent if none. */
  readTo?: string | null;
  /** Its revision. Messages and members do not change it. */
  rev: Rev;
  /** What a group is called. */
  title?: string | null;
  /** Messages of others after it; 100 stands for more than 99. Absent in the replies of procedures. */
  unread?: number | null;
  /** The other one of a direct chat. */
  with?: string | null;
  /** Who may write. */
  writers: Writers;
};

/** What a chat is. */
export type ChatKind = "direct" | "group";

/** A member. */
export type ChatMember = {
  /** Since when. */
  joinedAt: string;
  /** Who. */
  profile: Profile;
  /** The place of the newest message that they have read; absent if none. */
  readTo?: string | null;
  /** What they may do. */
  role: ChatRole;
};

/** A page of a list. */
export type ChatMemberPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<ChatMember>;
};

/** A page of a list. */
export type ChatPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Chat>;
};

/** What a member may do in a chat. In a direct chat both are members. */
export type ChatRole = "member" | "moderator" | "owner";

/** What came of asking a service. */
export type Check = {
  /** Whether it takes the account. */
  good: boolean;
  /** Why not: the service's own word, or one of Gomer's, like `unreachable`. */
  reason?: string | null;
};

/** Which handle. */
export type CheckHandle = {
  /** Any text. */
  handle: string;
};

/** A check-in. */
export type CheckIn = {
  /** Who may know. */
  audience: Audience;
  /** Who was there. */
  author: string;
  /** When, by the server's clock. */
  createdAt: string;
  /** Its id, chosen by the author's device. */
  id: string;
  /** What they say of it. */
  note?: string | null;
  /** Where. */
  place: PlaceInBrief;
  /** A moderator took it down; only its author still sees it. */
  removed?: boolean;
  /** Its revision. */
  rev: Rev;
};

/** A page of a list. */
export type CheckInPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<CheckIn>;
};

/** A place. */
export type CheckInPlace = {
  /** Its postal address. */
  address?: string | null;
  /** How many public check-ins there are; absent in the replies of procedures. */
  checkins?: number | null;
  /** When it was added, by the server's clock. */
  createdAt: string;
  /** How far it is from the point that was asked about, in metres. */
  distanceM?: number | null;
  /** Its id, chosen by who added it. */
  id: string;
  /** Degrees north, -90 to 90. */
  latitude: number;
  /** Degrees east, -180 to 180. The date line is at -180. */
  longitude: number;
  /** What people call it. */
  name: string;
  /** Its revision. Check-ins do not change it. */
  rev: Rev;
};

/** Calls that I might make. */
export type CheckInput = {
  /** 1 to 100 of them. */
  calls: Array<OneCall>;
};

/** Answers. */
export type Checked = {
  /** In the order asked. */
  items: Array<OneAnswer>;
};

/** What came of asking each service. */
export type Checked2 = {
  /** Apple's; absent without an account. */
  apns?: Check | null;
  /** Google's; absent without an account. */
  fcm?: Check | null;
  /** Browsers': each has a service of its own, so only the key itself is looked at. Absent without one. */
  webPush?: Check | null;
};

/** Facts for clients. */
export type Client = {
  /** Languages that the app speaks, as BCP 47 tags, the first being the usual one; 1 to 100. */
  locales: Array<string>;
  /** The oldest build of the app that still works; what it means is the app's business. At most 64 characters. */
  versionMin: string | null;
};

/** Facts for clients. */
export type ClientInput = {
  /** Languages that the app speaks, as BCP 47 tags, the first being the usual one; 1 to 100. */
  locales?: Array<string>;
  /** The oldest build of the app that still works; what it means is the app's business. At most 64 characters. */
  versionMin?: string | null;
};

/** A code is on its way, if there is such an account. */
export type CodeRequested = {
  /** How long the code is good, in seconds. */
  expiresInS: number;
  /** The request's id. */
  id: string;
};

/** A reply. */
export type Comment = {
  /** Who wrote it. */
  author: string;
  /** When it was written, by the server's clock. */
  createdAt: string;
  /** It was deleted. */
  deleted?: boolean;
  /** When it was last edited. */
  editedAt?: string | null;
  /** Its id, chosen by the author's device. */
  id: string;
  /** Profiles that it mentions. */
  mentions: Array<string>;
  /** The post at the root of its thread: who sees that may see the reply. */
  post: string;
  /** A moderator took it down; only its author still sees it. */
  removed?: boolean;
  /** How many replies it has itself; absent in the replies of procedures. */
  replies?: number | null;
  /** Its revision. Replies to it do not change it. */
  rev: Rev;
  /** What it says; absent of a deleted one, which stays for the replies to it. */
  text?: string | null;
  /** What it replies to. */
  to: Parent;
};

/** A page of a list. */
export type CommentPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Comment>;
};

/** Which plan. */
export type CommitChanges = {
  /** Its name, as `cluster.planChanges` showed it. */
  planId: string;
};

/** How an entity is, compared with what the caller knows. */
export type Compared = "put" | "same" | "absent";

/** What is set. */
export type ConfigView = {
  /** Whether replicas stay where they are for now. */
  movesPaused: boolean;
  /** Its revision. */
  rev: Rev;
  /** Replicas that come to one member, or go from one, at once. */
  transfersMax: number;
};

/** Which address, and the code. */
export type ConfirmCode = {
  /** The code that was sent there. */
  code: string;
  /** The address. */
  email: string;
};

/** Which push. */
export type ConfirmOpened = {
  /** Its id, as the device got it. */
  id: string;
};

/** Whether content is down. */
export type ContentState = {
  /** The content. */
  object: Object;
  /** Whether it is taken down. */
  removed: boolean;
};

/** Which web pages may call from a browser. */
export type Cors = {
  /** Origins as a browser sends them: `https://app.example`, with a port if it is not the usual one. At most 50. None: no page may. */
  origins: Array<string>;
};

/** Which web pages may call from a browser. */
export type CorsInput = {
  /** Origins as a browser sends them: `https://app.example`, with a port if it is not the usual one. At most 50. None: no page may. */
  origins?: Array<string>;
};

/** Which list. */
export type CountLinks = {
  /** What the links start from. */
  from: string;
  /** Their type. */
  type: Name;
};

/** How much was used. */
export type Counted = {
  /** Bytes of bodies that came. */
  bytesIn: number;
  /** Bytes of bodies that went. Of a file, as many as were announced; live streams are not counted. */
  bytesOut: number;
  /** Calls of methods, and requests for uploads and files. */
  calls: number;
};

/** Counts of one post. */
export type Counts = {
  /** All reactions together. */
  count: number;
  /** The post. */
  id: string;
  /** Reactions by kind; kinds without any are left out. */
  kinds: Record<string, number>;
  /** The kind of my own reaction. */
  mine?: string | null;
};

/** An account. */
export type CreateAccount = {
  /** The device. */
  device?: DeviceArgs | null;
  /** An e-mail address of which there is one account at most. */
  email?: string | null;
  /** A unique handle. Handle or e-mail address must be there. */
  handle?: string | null;
  /** The profile's id. Pick it yourself, so that a retry makes no second one. A guest who is signed in gives its own, or none, and keeps its profile. */
  id?: string | null;
  /** A name to be shown. */
  name?: string | null;
  /** The password: 8 to 128 characters. */
  password: string;
  /** The session's id; by default the profile's. */
  sessionId?: string | null;
};

/** A new album. */
export type CreateAlbum = {
  /** What it is about. */
  about?: string | null;
  /** Who may see it; if absent, whom one's own settings say, or else the app's for posts. */
  audience?: Audience | null;
  /** Who else may put photos in. */
  contributors?: Array<string> | null;
  /** Its id, chosen by the caller. */
  id: string;
  /** Its title. */
  title: string;
};

/** A new app. */
export type CreateApp = {
  /** Its id, chosen by the caller. */
  id: string;
  /** Its name in addresses: 1 to 63 of a-z, 0-9 and -, with - neither first nor last. Never changes. */
  name: string;
  /** What people read; by default the name. */
  title?: string | null;
};

/** A new group. */
export type CreateChat = {
  /** Its id, chosen by the caller. */
  id: string;
  /** Up to 80 profiles who are its first members, beside the caller, who is its owner. */
  members?: Array<string>;
  /** What it is called. */
  title: string;
  /** Who may write. */
  writers?: Writers;
};

/** A new check-in. */
export type CreateCheckIn = {
  /** Who may know; if absent, whom one's own settings say, or else the app's. */
  audience?: Audience | null;
  /** Its id, chosen by the caller. */
  id: string;
  /** What to say of it. */
  note?: string | null;
  /** The place. */
  place: string;
};

/** A feed to track. */
export type CreateFeed = {
  /** Its id, chosen by the caller. */
  id: string;
  /** What it is called; if absent, what it calls itself. */
  title?: string | null;
  /** Where it is: `https` or `http`, without a user's name. It is read from the public internet only. */
  url: FeedAddress;
};

/** A guest. */
export type CreateGuest = {
  /** The device. */
  device?: DeviceArgs | null;
  /** The profile's id. Pick it yourself, so that a retry makes no second one. */
  id?: string | null;
  /** A name to be shown. */
  name?: string | null;
  /** The session's id; by default the profile's. */
  sessionId?: string | null;
};

/** A new key of an app. */
export type CreateKey = {
  /** The name of the app. */
  app: string;
  /** The key. */
  key: NewKey;
};

/** What to link to. */
export type CreateLink = {
  /** The object. */
  object: ShareableObject;
};

/** What to mute. */
export type CreateMute = {
  /** What. */
  subject: Subject;
  /** Until when; for good if it is absent. */
  until?: string | null;
};

/** A new note. */
export type CreateNote = {
  /** What it is about. */
  about?: NoteSubject | null;
  /** Its id, chosen by the caller. */
  id: string;
  /** What it says. */
  text: string;
  /** Its title. */
  title?: string | null;
};

/** A new photo. */
export type CreatePhoto = {
  /** What is on it, for who cannot see it. */
  alt?: string | null;
  /** Who may see it; if absent, whom one's own settings say, or else the app's for posts. */
  audience?: Audience | null;
  /** What it says. */
  caption?: string | null;
  /** Its id, chosen by the caller. */
  id: string;
  /** A finished upload of one's own that is a picture. */
  media: string;
  /** Who is on it. */
  people?: Array<PhotoTag> | null;
  /** Where it was taken. Never read from the picture itself. */
  place?: Place | null;
};

/** A new place. */
export type CreatePlace = {
  /** Its postal address. */
  address?: string | null;
  /** Its id, chosen by the caller. */
  id: string;
  /** Degrees north, -90 to 90; rounded to five digits after the point. */
  latitude: number;
  /** Degrees east, -180 to 180; rounded to five digits after the point. */
  longitude: number;
  /** What people call it. */
  name: string;
};

/** A new post. */
export type CreatePost = {
  /** Who may read it; if absent, whom one's own settings say, or else the app's. */
  audience?: Audience | null;
  /** Its id, chosen by the caller. */
  id: string;
  /** What it points to. */
  link?: WebAddress | null;
  /** What it shows: finished uploads of the author's. */
  media?: Array<string> | null;
  /** Profiles that it mentions; if absent, those whose handles stand in the text after an `@`. */
  mentions?: Array<string> | null;
  /** Where it was written. */
  place?: Place | null;
  /** Its tags; if absent, the words in the text after a `#`. */
  tags?: Array<Tag> | null;
  /** What it says. May be empty if it shows something. */
  text: string;
};

/** A new reply. */
export type CreateReply = {
  /** Its id, chosen by the caller. */
  id: string;
  /** Profiles that it mentions; if absent, those whose handles stand in the text after an `@`. */
  mentions?: Array<string> | null;
  /** What it says. */
  text: string;
  /** What it replies to. */
  to: Parent;
};

/** Who signs in, and with what. Exactly one name, and a password or a code. */
export type CreateSession = {
  /** Or a code that was sent to the address for this. */
  code?: string | null;
  /** The device; a session of it that is open ends. */
  device?: DeviceArgs | null;
  /** Or its e-mail address. */
  email?: string | null;
  /** The account's handle. */
  handle?: string | null;
  /** The session's id. Pick it yourself, so that a retry opens no second one. */
  id?: string | null;
  /** With it, an ID token of the provider. */
  idToken?: string | null;
  /** And the nonce that the token was asked for with. */
  nonce?: string | null;
  /** Its password. */
  password?: string | null;
  /** Or, without a name, an identity provider whose account is linked, as the app's settings call it. */
  provider?: string | null;
};

/** A new share. */
export type CreateShare = {
  /** For whom; if absent, whom one's own settings say, or else the app's. */
  audience?: Audience | null;
  /** What to say of it. */
  comment?: string | null;
  /** Its id, chosen by the caller. */
  id: string;
  /** What to share. Who may not see it does not see the share. */
  object: ShareableObject;
};

/** What to track. */
export type CreateTrack = {
  /** What this account writes. One of `account`, `tag` and `query` is given. */
  account?: AccountName | null;
  /** Its id, chosen by the caller. */
  id: string;
  /** Or what this search finds, in the words of X; only there. */
  query?: string | null;
  /** At which server: for Mastodon, and only for it. */
  server?: ServerName | null;
  /** Where. */
  service: TweetService;
  /** Or what carries this tag. */
  tag?: Tag | null;
};

/** A new upload. */
export type CreateUpload = {
  /** Its id, chosen by the caller: later that of the media. */
  id: string;
  /** Their SHA-256. */
  sha256: string;
  /** How many bytes will come: 1 to 104,857,600. */
  size: UploadSize;
  /** Their content type, as the caller sees it. What they are is told from the bytes; if that contradicts, the upload cannot be finished. */
  type?: string | null;
};

/** The accounts, without their secrets. */
export type Credentials = {
  /** Apple's. */
  apns?: ApnsView | null;
  /** Google's. */
  fcm?: FcmView | null;
  /** Their revision; absent as long as none was set. */
  rev?: Rev | null;
  /** Browsers'. */
  webPush?: WebPushView | null;
};

/** What was used on a day. */
export type DayUsed = {
  /** Bytes of bodies that came. */
  bytesIn: number;
  /** Bytes of bodies that went. Of a file, as many as were announced; live streams are not counted. */
  bytesOut: number;
  /** Calls of methods, and requests for uploads and files. */
  calls: number;
  /** The day, in UTC. */
  day: string;
};

/** A decision. */
export type Decision = {
  /** What was decided. */
  action: Action;
  /** To whom a case was given. */
  assignee?: string | null;
  /** When it was made. */
  at: string;
  /** Which moderator; absent for the app's server and administrators. */
  by?: string | null;
  /** Its number: 1, 2, 3 and so on. */
  number: number;
  /** About which profile or content. */
  object?: Object | null;
  /** The hash of the decision before: SHA-256 over its text, in hex; 64 zeros for the first. */
  previous: string;
  /** Why, or with which outcome. */
  reason?: string | null;
  /** Who or what was banned. */
  target?: BanTarget | null;
  /** Until when. */
  until?: string | null;
};

/** A page of a list. */
export type DecisionPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Decision>;
};

/** Who sees a post whose author does not say. */
export type DefaultAudience = "public" | "followers" | "onlyMe";

/** Which album. */
export type DeleteAlbum = {
  /** The album. */
  id: string;
  /** Refuse if the album is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** What becomes of its photos. */
  photos?: Fate;
};

/** Which check-in. */
export type DeleteCheckIn = {
  /** The check-in. */
  id: string;
  /** Refuse if the check-in is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
};

/** Which device. */
export type DeleteDevice = {
  /** Its installation id. */
  id: string;
};

/** Which feed. */
export type DeleteFeed = {
  /** The feed. */
  id: string;
  /** Refuse if the feed is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
};

/** For whom something is deleted. */
export type DeleteFor = "all" | "me" | "meUpToHere";

/** Which post. */
export type DeleteLike = {
  /** The post. That I no longer see it, or that it is gone, does not matter. */
  id: string;
};

/** Which link. */
export type DeleteLink = {
  /** What it starts from. */
  from: string;
  /** What it leads to. */
  to: string;
  /** Its type. */
  type: Name;
};

/** What to delete. */
export type DeleteMessage = {
  /** The chat. */
  chat: string;
  /** For whom. */
  for: DeleteFor;
  /** The message. */
  id: string;
};

/** What to hear of again. */
export type DeleteMute = {
  /** What. */
  subject: Subject;
};

/** Which node. */
export type DeleteNode = {
  /** The node. */
  id: string;
  /** Refuse if the node is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
};

/** Which note. */
export type DeleteNote = {
  /** The note. */
  id: string;
  /** Refuse if the note is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
};

/** What to dismiss. */
export type DeleteNotification = {
  /** And the rest of its group. */
  group?: boolean;
  /** This one. */
  id: string;
};

/** Which photo. */
export type DeletePhoto = {
  /** The photo. */
  id: string;
  /** Refuse if the photo is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
};

/** Which post. */
export type DeletePost = {
  /** The post. */
  id: string;
  /** Refuse if the post is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
};

/** Whom to erase. */
export type DeleteProfile = {
  /** The same profile once more, if it is to be done at once: there is no way back from that. */
  confirm?: string | null;
  /** After how many days, 0 to 90; if absent, as the app's settings say. 0 is at once. */
  graceDays?: GraceDays | null;
  /** The id of this erasure, chosen by the caller. */
  id: string;
  /** Whom. */
  profile: string;
};

/** Which device. */
export type DeletePushToken = {
  /** The device; by default the one that asks. */
  device?: string | null;
};

/** Which session. */
export type DeleteSession = {
  /** The session; by default the one that asks. */
  id?: string | null;
};

/** Which share. */
export type DeleteShare = {
  /** The share. */
  id: string;
  /** Refuse if the share is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
};

/** Which track. */
export type DeleteTrack = {
  /** The track. */
  id: string;
  /** Refuse if the track is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
};

/** What is gone. */
export type Deleted = {
  /** Always true. */
  deleted: boolean;
  /** Its id. */
  id: string;
};

/** Nothing more. */
export type Deleted2 = {
  /** The hook. */
  id: string;
};

/** What is gone. */
export type Deleted3 = {
  /** Always true. */
  deleted: boolean;
  /** Its id. */
  id: string;
};

/** That an album is gone. */
export type DeletedAlbum = {
  /** It is gone. */
  deleted: boolean;
  /** The album. */
  id: string;
};

/** What is gone. */
export type DeletedCheckIn = {
  /** Always true. */
  deleted: boolean;
  /** Its id. */
  id: string;
};

/** What is gone. */
export type DeletedFeed = {
  /** Always true. */
  deleted: boolean;
  /** Its id. */
  id: string;
};

/** What is gone. */
export type DeletedLink = {
  /** Always true. */
  deleted: boolean;
  /** What it started from. */
  from: string;
  /** What it led to. */
  to: string;
  /** Its type. */
  type: string;
};

/** What is gone. */
export type DeletedMessage = {
  /** The chat. */
  chat: string;
  /** Always true. */
  deleted: boolean;
  /** The message. */
  id: string;
};

/** What is gone. */
export type DeletedNote = {
  /** Always true. */
  deleted: boolean;
  /** Its id. */
  id: string;
};

/** What is gone. */
export type DeletedNotification = {
  /** Always true. */
  deleted: boolean;
  /** Its id. */
  id: string;
};

/** That a photo is gone. */
export type DeletedPhoto = {
  /** It is gone. */
  deleted: boolean;
  /** The photo. */
  id: string;
};

/** What is gone. */
export type DeletedReply = {
  /** Always true. */
  deleted: boolean;
  /** Its id. */
  id: string;
};

/** What is gone. */
export type DeletedShare = {
  /** Always true. */
  deleted: boolean;
  /** Its id. */
  id: string;
};

/** What is gone. */
export type DeletedTrack = {
  /** Always true. */
  deleted: boolean;
  /** Its id. */
  id: string;
};

/** An erasure. */
export type Deletion = {
  /** Who wanted it. */
  by: By;
  /** The receipt: how much there was of each kind when it began. */
  counts?: Record<string, number>;
  /** From when on it is done. Until then it can be called off. */
  dueAt: string;
  /** When nothing was left. */
  erasedAt?: string | null;
  /** Its id: who knows it can ask how far it is, also when there is nobody any more who could sign in. */
  id: string;
  /** What goes, and what stays. */
  plan: Plan;
  /** Whom it is about. */
  profile: string;
  /** When it was wanted. */
  requestedAt: string;
  /** How far it is. */
  state: DeletionState;
};

/** How people leave. */
export type Deletion2 = {
  /** For how many days somebody who wants to be erased can call it off, 1 to 90. */
  graceDays: number;
};

/** How people leave. */
export type DeletionInput = {
  /** For how many days somebody who wants to be erased can call it off, 1 to 90. */
  graceDays?: number;
};

/** How far an erasure is. */
export type DeletionState = "scheduled" | "erasing" | "erased";

/** How the deliveries of a hook go. */
export type Delivery = {
  /** Deliveries that were taken. While all is well it may lag by a minute. */
  delivered: number;
  /** When the last of them was. */
  deliveredAt?: string | null;
  /** Since when it is sent nothing any more. */
  disabledAt?: string | null;
  /** When the first of them was. */
  failingSince?: string | null;
  /** Rounds in a row in which a delivery failed. */
  failures: number;
  /** How often events may have been missed; each time the hook is told, with `hook.gap`. */
  gaps: number;
  /** What the last failure was. */
  lastFailure?: Failure | null;
  /** Nothing is sent before. */
  nextTryAt?: string | null;
  /** What to know, in words. */
  notice?: string | null;
  /** In one word. */
  state: DeliveryState;
};

/** Whether a hook is sent anything. */
export type DeliveryState = "working" | "failing" | "disabled";

/** A push. */
export type DeliveryView = {
  /** How often it was sent. */
  attempts: number;
  /** The device. */
  device: string;
  /** When its waiting ended. */
  doneAt?: string | null;
  /** Its id. */
  id: string;
  /** The notification's kind. */
  kind?: Kind | null;
  /** When it is sent next, as long as it waits. */
  nextAt?: string | null;
  /** The notification; absent of a silent push, which wakes the app to sync. */
  notification?: string | null;
  /** When the device opened it. */
  openedAt?: string | null;
  /** Whose device it is for. */
  profile: string;
  /** The service's name for it. */
  providerId?: string | null;
  /** When it began to wait. */
  queuedAt: string;
  /** Why it failed, was dropped or waits: the service's own word, like `Unregistered`, or one of Gomer's, like `read`. */
  reason?: string | null;
  /** Which service brings it. */
  service: Service;
  /** How far it has come. */
  state: State2;
};

/** A device. */
export type Device = {
  appBuild?: string | null;
  /** Whether it is the device that asks. */
  current: boolean;
  /** Its installation id. */
  id: string;
  locale?: string | null;
  model?: string | null;
  name?: string | null;
  platform?: string | null;
  /** How it is reached by push, if it is; only in `device.list`. */
  push?: PushHealth | null;
  /** Its revision. */
  rev: Rev;
  /** When it was last in contact to sign in or to refresh, if somebody is signed in on it. */
  seenAt?: string | null;
  timeZone?: string | null;
};

/** A device, as it describes itself. What is absent stays as it is. */
export type DeviceArgs = {
  /** Build of the app. */
  appBuild?: string | null;
  /** The installation id: chosen once by the app on the device, and kept. */
  id: string;
  /** BCP 47 language tag, like `de-AT`. */
  locale?: string | null;
  /** Like `Pixel 9`. */
  model?: string | null;
  /** What its owner calls it. */
  name?: string | null;
  /** Like `ios`, `android`, `web`. */
  platform?: string | null;
  /** IANA time zone, like `Europe/Vienna`. */
  timeZone?: string | null;
};

/** A page of a list. */
export type DevicePage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Device>;
};

/** How often somebody wants a summary of what they missed. */
export type Digest = "never" | "daily" | "weekly";

/** Which requests. */
export type Direction = "incoming" | "outgoing";

/** No arguments, or nothing to say. */
export type Empty = Record<string, never>;

/** A switch that is on unless it was turned off. */
export type Enabled = boolean;

/** What a link starts from or leads to. */
export type EndKind = "node" | "profile" | "post";

/** Entities. */
export type Entities = {
  /** In the order asked. */
  items: Array<Entity>;
};

/** An entity. */
export type Entity = {
  /** How it is. */
  op: Compared;
  /** Its revision. */
  rev?: Rev | null;
  /** Its root. */
  root: string;
  /** What it is now, as in `sync.pull`. */
  value?: unknown;
};

/** One error code. */
export type ErrorEntry = {
  /** What to do. */
  advice: string;
  /** The code, as in a problem's `code`. */
  code: string;
  /** Whether trying again makes sense. */
  retry: "never" | "same" | "later";
  /** Its HTTP status. */
  status: number;
  /** What it means. */
  title: string;
};

/** All error codes. */
export type ErrorList = {
  /** By status. */
  items: Array<ErrorEntry>;
};

/** Something that happened in the app. */
export type Event = {
  /** To what, by whom. */
  data: EventData;
  /** The same whenever this event is sent: who has dealt with it once is done. The `webhook-id` of a delivery. */
  id: string;
  /** When, by the server's clock. Nobody knows any more of a deletion. */
  timestamp?: string | null;
  /** What happened. */
  type: EventName;
};

/** What an event is about. */
export type EventData = {
  /** Who made it, follows or likes; absent of things that are gone, and of what the app's server made. */
  actor?: string | null;
  /** The chat that a message is in. */
  chat?: string | null;
  /** The thing. Absent of a gap. */
  object?: Object2 | null;
};

/** What happened. What was made and changed again before anybody looked comes once, as it is by then: as `…updated`. */
export type EventName = "album.created" | "album.deleted" | "album.updated" | "chat.created" | "chat.updated" | "checkin.created" | "checkin.deleted" | "checkin.updated" | "content.removed" | "follow.created" | "follow.deleted" | "hook.gap" | "like.created" | "like.deleted" | "message.created" | "message.deleted" | "message.updated" | "node.deleted" | "node.updated" | "photo.created" | "photo.deleted" | "photo.updated" | "place.created" | "place.deleted" | "place.updated" | "post.created" | "post.deleted" | "post.updated" | "profile.banned" | "profile.created" | "profile.deleted" | "profile.updated" | "reply.created" | "reply.deleted" | "reply.updated" | "share.created" | "share.deleted" | "share.updated";

/** What happened. */
export type Events = {
  /** Where the next page begins. */
  cursor: string;
  /** Whether this was all. It may be false with few items, or none: ask again. */
  end: boolean;
  /** By partition of the data; within one in order, but when much is fetched for the first time. */
  items: Array<Event>;
  /** How many slices there are. */
  slices: number;
};

/** An export of all that is held about a person. */
export type Export = {
  /** Bytes so far. */
  bytes: number;
  /** Until when it is kept. */
  expiresAt?: string | null;
  /** Its id. */
  id: string;
  /** Lines so far. */
  lines: number;
  /** When it was asked for. */
  requestedAt: string;
  /** SHA-256 of its bytes, in hex. */
  sha256?: string | null;
  /** How far it is. */
  state: ExportState;
  /** Where it is, when it is ready: a path on this server that needs no headers and is good for a day. Ask again for another one. Each line of it is a JSON object with a `type`. */
  url?: string | null;
};

/** How far an export is. */
export type ExportState = "pending" | "ready";

/** Why a delivery failed. */
export type Failure = {
  /** In words. */
  detail: string;
  /** What the address answered, if it did. */
  status?: number | null;
};

/** What becomes of an album's photos. */
export type Fate = "keep" | "delete";

/** A service account of Google's. */
export type FcmArgs = {
  /** `client_email` of it. */
  clientEmail: string;
  /** `private_key` of it. */
  privateKey: string;
  /** `private_key_id` of it. */
  privateKeyId: string;
  /** `project_id` of the account's file. */
  projectId: string;
};

/** A service account of Google's, without its key. */
export type FcmView = {
  /** The account. */
  clientEmail: string;
  /** The key's id. */
  privateKeyId: string;
  /** The project. */
  projectId: string;
};

/** What is switched on. */
export type Features = {
  /** Who sees a post whose author does not say. */
  defaultAudience: DefaultAudience;
  /** Whether there are guests. */
  guests: Guests;
  /** Who may make an account. */
  signUp: SignUp;
};

/** Where a feed is. */
export type FeedAddress = string;

/** Which part of a timeline. */
export type Fetch = {
  /** A page's `after`: what is newer than that page. */
  after?: string | null;
  /** A page's `before`: what is older than that page. */
  before?: string | null;
  /** A page's `cursor`: go on in its direction. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
};

/** Which part of a profile's timeline. */
export type FetchProfile = {
  /** A page's `after`: what is newer than that page. */
  after?: string | null;
  /** A page's `before`: what is older than that page. */
  before?: string | null;
  /** A page's `cursor`: go on in its direction. */
  cursor?: string | null;
  /** The profile. */
  id: string;
  /** How many at most. */
  limit?: number;
};

/** What to find everywhere. */
export type FindAll = {
  /** How many of each kind at most. */
  limit?: number;
  /** Plain words, each of which must be there; at most 16. */
  text: string;
};

/** Which photos and albums. At least one of text, author and person. */
export type FindPhotos = {
  /** Whose. */
  author?: string | null;
  /** From an earlier page of the same question. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
  /** Who is on it. Albums show nobody. */
  person?: string | null;
  /** Not older than this. */
  since?: string | null;
  /** Plain words, each of which must be there: in a caption, a description, the name of a place, a title; at most 16. */
  text?: string | null;
  /** Not newer than this. */
  until?: string | null;
};

/** Which posts. At least one of text, author and tag. */
export type FindPosts = {
  /** Whose. */
  author?: string | null;
  /** From an earlier page of the same question. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
  /** Not older than this. */
  since?: string | null;
  /** The tag that they carry, with or without the `#`; accents do not count. */
  tag?: Tag | null;
  /** Plain words, each of which must be there; at most 16. */
  text?: string | null;
  /** Not newer than this. */
  until?: string | null;
};

/** Which people. */
export type FindProfiles = {
  /** From an earlier page of the same question. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
  /** Plain words, each of which begins a word of handle and name, or is a word of the profile; at most 16. */
  text: string;
};

/** Which upload. */
export type FinishUpload = {
  /** The upload. */
  id: string;
};

/** A request to follow. */
export type FollowRequest = {
  /** Since when. */
  createdAt: string;
  /** Who asks, or who is asked. */
  profile: Profile;
};

/** A page of a list. */
export type FollowRequestPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<FollowRequest>;
};

/** A whole number of seconds, 5 to 300. */
export type ForS = number;

/** One of the profiles that were asked for. */
export type Found = {
  /** The id that was asked for. */
  id: string;
  /** Whether there is none, as far as the caller may know. */
  missing: boolean;
  /** The profile. */
  profile?: Profile | null;
};

/** What was found, by kind. For more of a kind there is a method of its own. */
export type FoundAll = {
  /** How far the index is behind: what was written in the last so many milliseconds may not be found yet. Absent while the index is made. */
  lagMs?: number | null;
  /** Photos and albums, newest first. */
  photos: Array<FoundPhoto>;
  /** Places, by name. */
  places: Array<CheckInPlace>;
  /** Posts and replies, newest first. */
  posts: Array<FoundPost>;
  /** People. */
  profiles: Array<Profile>;
};

/** A photo or an album. */
export type FoundPhoto = Photo | Album;

/** Places that were found. */
export type FoundPlaces = {
  /** Where the next page begins; hand it back as it is. Absent when there was nothing. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The nearest first; without a point, by name. */
  items: Array<CheckInPlace>;
  /** Whether there are so many places in question that only the newest 5,000 of a list were looked at: ask for a smaller circle or a longer name. */
  partial?: boolean;
};

/** A post or a reply. */
export type FoundPost = Post | Comment;

/** A page of what was found. */
export type Found_FoundPhoto = {
  /** Where the next page begins; hand it back as it is. Absent when there was nothing. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** What was found and the caller may see. */
  items: Array<FoundPhoto>;
  /** How far the index is behind: what was written in the last so many milliseconds may not be found yet. Absent while the index is made. */
  lagMs?: number | null;
};

/** A page of what was found. */
export type Found_FoundPost = {
  /** Where the next page begins; hand it back as it is. Absent when there was nothing. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** What was found and the caller may see. */
  items: Array<FoundPost>;
  /** How far the index is behind: what was written in the last so many milliseconds may not be found yet. Absent while the index is made. */
  lagMs?: number | null;
};

/** A page of what was found. */
export type Found_Profile = {
  /** Where the next page begins; hand it back as it is. Absent when there was nothing. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** What was found and the caller may see. */
  items: Array<Profile>;
  /** How far the index is behind: what was written in the last so many milliseconds may not be found yet. Absent while the index is made. */
  lagMs?: number | null;
};

/** In which order. */
export type From = "oldest" | "newest";

/** Which activity. */
export type GetActivity = {
  /** Its id. */
  id: string;
};

/** Which album. */
export type GetAlbum = {
  /** The album. */
  id: string;
};

/** Which object. */
export type GetAudience = {
  /** A post of mine, or my profile. */
  object: Object;
};

/** Which chat. */
export type GetChat = {
  /** The chat. */
  id: string;
};

/** Which check-in. */
export type GetCheckIn = {
  /** The check-in. */
  id: string;
};

/** Whose counts are wanted. */
export type GetCounts = {
  /** 1 to 100 posts. */
  ids: Array<string>;
};

/** Which erasure. */
export type GetDeletion = {
  /** By the id that was chosen for it, which only who wanted it knows; if absent, that of the caller. */
  id?: string | null;
};

/** Which push. */
export type GetDelivery = {
  /** Its id, as the device got it. */
  id: string;
  /** Whose device it is for. */
  profile: string;
};

/** Which entities. */
export type GetEntities = {
  /** 1 to 200 entities: `post:UUID`, or `post:UUID@REVISION` if the caller has that revision. */
  entities: Array<string>;
};

/** Which link. */
export type GetLink = {
  /** Its code. */
  code: LinkCode;
};

/** Links to some others. */
export type GetLinks = {
  /** What they start from. */
  from: string;
  /** 1 to 100 others. */
  to: Array<string>;
  /** Their type. */
  type: Name;
};

/** Which media. */
export type GetMedia = {
  /** The media. */
  id: string;
};

/** Which item. */
export type GetNews = {
  /** The item. */
  id: string;
};

/** Which nodes. */
export type GetNodes = {
  /** 1 to 100 nodes. */
  ids: Array<string>;
};

/** Which note. */
export type GetNote = {
  /** The note. */
  id: string;
};

/** Which photo. */
export type GetPhoto = {
  /** The photo. */
  id: string;
};

/** Which place. */
export type GetPlace = {
  /** The place. */
  id: string;
};

/** Which post. */
export type GetPost = {
  /** The post. */
  id: string;
};

/** Which posts. */
export type GetPosts = {
  /** 1 to 100 posts. */
  ids: Array<string>;
};

/** Which page. */
export type GetPreview = {
  /** Its address, on the public internet. */
  url: WebAddress;
};

/** Which profile: exactly one of both. */
export type GetProfile = {
  /** By handle. */
  handle?: string | null;
  /** By id. */
  id?: string | null;
};

/** Which profiles. */
export type GetProfiles = {
  /** 1 to 100 profiles. */
  ids: Array<string>;
};

/** Which profiles. */
export type GetRelations = {
  /** 1 to 100 profiles. */
  ids: Array<string>;
};

/** What a new phone asks for. */
export type GetSnapshot = {
  /** How many items at most, more or less. */
  limit?: number;
  /** Up to 50 roots that the phone has open, beside its own profile's. */
  roots?: Array<string> | null;
};

/** Which tweet. */
export type GetTweet = {
  /** The tweet. */
  id: string;
};

/** Which upload. */
export type GetUpload = {
  /** The upload. */
  id: string;
};

/** Which days. */
export type GetUsage = {
  /** How many days, today included: 1 to 62. */
  days?: number;
};

/** Days, 0 to 90. */
export type GraceDays = number;

/** A role that a profile holds or held. */
export type Grant = {
  /** Whether it is held now. */
  held: boolean;
  /** Who. */
  profile: string;
  /** Its revision. Absent if the role was never given. */
  rev?: Rev | null;
  /** The role. */
  role: string;
  /** When it ends or ended. */
  until: string | null;
};

/** A role for a profile. */
export type GrantRole = {
  /** To whom. */
  profile: string;
  /** `moderator`, `admin`, or a role of the app's own. */
  role: string;
  /** When it ends; if absent, when it is taken back. */
  until?: string | null;
};

/** A link. */
export type GraphLink = {
  /** Its data; absent if there is none. */
  data?: unknown;
  /** What it starts from. */
  from: string;
  /** Its revision. */
  rev: Rev;
  /** Its time, by which lists are ordered; absent in the replies of procedures that did not say it. */
  time?: string | null;
  /** What it leads to. */
  to: string;
  /** Its type. */
  type: string;
};

/** A node. */
export type GraphNode = {
  /** Its attributes. */
  attributes: Record<string, unknown>;
  /** Who made it; absent for the app's server. */
  author?: string | null;
  /** When it was made; absent in the replies of procedures. */
  createdAt?: string | null;
  /** Its id. */
  id: string;
  /** Its revision. */
  rev: Rev;
  /** Its type. */
  type: string;
  /** When it was last changed; absent in the replies of procedures. */
  updatedAt?: string | null;
};

/** Whether there are guests. */
export type Guests = "allowed" | "refused";

/** What is known of a handle. */
export type HandleState = {
  /** Whether the caller could take it now, or has it. */
  free: boolean;
  /** As it was asked for. */
  handle: string;
  /** Whether it may be a handle at all. */
  wellFormed: boolean;
};

/** What handles may be, beside being made of `a-z`, `0-9`, `_` and `.`. */
export type Handles = {
  /** Most characters, at least `lengthMin`, at most 30. */
  lengthMax: number;
  /** Fewest characters, 2 to 30. */
  lengthMin: number;
  /** Handles that nobody may take, lower-case; at most 500. */
  reserved: Array<string>;
};

/** What handles may be, beside being made of `a-z`, `0-9`, `_` and `.`. */
export type HandlesInput = {
  /** Most characters, at least `lengthMin`, at most 30. */
  lengthMax?: number;
  /** Fewest characters, 2 to 30. */
  lengthMin?: number;
  /** Handles that nobody may take, lower-case; at most 500. */
  reserved?: Array<string>;
};

/** How the server is. */
export type Health = {
  /** Whether requests should come here. */
  ready: boolean;
  /** Why not. */
  reasons: Array<string>;
  /** The server's time, for clients whose clock is wrong. */
  time: string;
  /** The server's version. */
  version: string;
};

/** What hooks of an app may do. */
export type HookSettings = {
  /** Whether they may be told of chats and messages, if they ask. */
  allowChats: boolean;
  /** Whether they may be at addresses that begin with `http://`, where everybody on the way can read along. */
  allowHttp: boolean;
};

/** What hooks of an app may do. */
export type HookSettingsInput = {
  /** Whether they may be told of chats and messages, if they ask. */
  allowChats?: boolean;
  /** Whether they may be at addresses that begin with `http://`, where everybody on the way can read along. */
  allowHttp?: boolean;
};

/** A hook. */
export type HookView = {
  /** Whether it is told of chats and messages too. */
  chats: boolean;
  /** When it was made. */
  createdAt: string;
  /** How deliveries go; in lists only. */
  delivery?: Delivery | null;
  /** What it is told of; absent: everything. */
  events?: Array<EventName> | null;
  /** Its id. */
  id: string;
  /** Its revision. */
  rev: Rev;
  /** What its deliveries are signed with. In the first reply to its creation only. */
  secret?: string | null;
  /** Where deliveries go. */
  url: string;
};

/** All hooks. */
export type Hooks = {
  /** By id. At most ten: an app has no more. */
  items: Array<HookView>;
};

/** An hour of the day, 0 to 23. */
export type Hour = number;

/** What came of an import. */
export type Imported = {
  /** How many of them failed. */
  failed: number;
  /** One result for each line that is not empty, in order. What the calls answered is not repeated: it would hold tokens. */
  results: Array<LineResult>;
};

/** Facts about an app. */
export type Info = {
  /** Version of this interface. */
  api: string;
  /** What is switched on. */
  features: Features;
  /** How much is too much. */
  limits: SizeLimits;
  /** Its languages, the usual one first. */
  locales: Array<string>;
  /** Its name in addresses. */
  name: string;
  /** Version of the server. */
  server: string;
  /** What it may do at present. */
  state: State;
  /** What people read. */
  title: string;
  /** The oldest build of the app that still works. */
  versionMin: string | null;
};

/** A call. */
export type Inner = {
  /** Its arguments; none, if absent. */
  args?: unknown;
  /** Refuse if what it changes is not at this revision. */
  ifRev?: Rev | null;
  /** The method. */
  method: string;
  /** Its operation id: the same call again is done once. */
  op?: string | null;
};

/** One change. */
export type Item = {
  /** Its id within root and type; of a link, what it leads to; of a mark, the stream's name; of a count, the link type whose links from this root it counts. */
  id?: string | null;
  /** What happened. */
  op: Op;
  /** Its revision; of an added section, which grant it is. */
  rev?: Rev | null;
  /** The root, like `profile:UUID`. */
  root: string;
  /** The part of the root: `private`, `public` or `inverse`. */
  section: string;
  /** The type of what changed: a node type, a link type, a stream, or `count`. */
  type?: string | null;
  /** What it is now. */
  value?: unknown;
};

/** What a key may do. */
export type KeyUse = "client" | "server" | "admin";

/** A key. */
export type KeyView = {
  /** When it was made. */
  createdAt: string;
  /** Its id. */
  id: string;
  /** What it may do. */
  kind: KeyUse;
  /** What people call it. */
  name: string;
  /** Its revision. */
  rev: Rev;
  /** Whether it was revoked. */
  revoked: boolean;
  /** What callers show. In the first reply to its creation only. */
  secret?: string | null;
};

/** All keys. */
export type Keys = {
  /** By id. At most 1,000: an app has no more. */
  items: Array<KeyView>;
};

/** Who may read what is sent, as a browser's `PushSubscription` says it. */
export type KeysInput = {
  /** `auth`: 16 bytes in base64url. */
  auth: string;
  /** `p256dh`: a point on P-256, uncompressed, in base64url. */
  p256dh: string;
};

/** What kind of thing happened. */
export type Kind = "follow" | "followRequest" | "followAccepted" | "like" | "reply" | "mention" | "chatInvite";

/** A kind of reaction: 1 to 32 lower-case letters, digits or hyphens; what they mean is the app's. */
export type KindInput = string;

/** Up to where a root is known. Taken from a page of `sync.pull`, and handed back as it is. */
export type KnownRoot = {
  /** A revision: everything up to it is known. */
  rev: Rev;
  /** The root: the caller's own profile. */
  root: string;
};

/** A BCP 47 language tag. */
export type Language = string;

/** Which chat. */
export type LeaveChat = {
  /** The chat; a group. */
  chat: string;
};

/** What was left. */
export type LeftChat = {
  /** The chat. */
  chat: string;
  /** Always true. */
  left: boolean;
};

/** Somebody's reaction. */
export type Like = {
  /** Since when there has been one. */
  createdAt: string;
  /** Which reaction. */
  kind: string;
  /** Who. */
  profile: string;
};

/** A page of a list. */
export type LikePage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Like>;
};

/** What reactions a post has. */
export type Likes = {
  /** All reactions together. */
  count: number;
  /** Reactions by kind; kinds without any are left out. */
  kinds: Record<string, number>;
  /** The kind of my own reaction. */
  mine?: string | null;
};

/** One rate limit. */
export type LimitState = {
  /** Its name, as in the header `RateLimit`. */
  name: string;
  /** Calls per window. */
  quota: number;
  /** Calls that could be made at once now. */
  remaining: number;
  /** The window, in seconds. */
  windowS: number;
};

/** What came of a line. */
export type LineResult = {
  /** The problem's code, if it failed. */
  code?: string | null;
  /** Its number; the first is 1. */
  line: number;
  /** The HTTP status that it would have had as a call of its own. */
  status: number;
};

/** The code of a short link: 12 small letters. */
export type LinkCode = string;

/** A page of a link list. */
export type LinkList = {
  /** Where the next page begins. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** Newest first. */
  items: Array<GraphLink>;
};

/** Tags for a page that shows where a link leads, as the Open Graph protocol names them. */
export type LinkPreview = {
  /** A little more. */
  description?: string | null;
  /** `article`, `place` or `profile`. */
  kind: string;
  /** In a line. */
  title: string;
};

/** Which account. */
export type LinkProvider = {
  /** An ID token of it, for one of the app's clients. */
  idToken: string;
  /** The nonce that it was asked for with. Absent only if it was asked for without one. */
  nonce?: string | null;
  /** The provider, as the app's settings call it. */
  provider: string;
};

/** How many links there are. */
export type LinkTotal = {
  /** Links of that type that start there. */
  count: number;
};

/** Links. */
export type Links = {
  /** Those that there are, in the order asked. */
  items: Array<GraphLink>;
};

/** Whose activities, or with which target, and which of them. */
export type ListActivities = {
  /** The profile that acted. This or a target, or both. */
  actor?: string | null;
  /** From an earlier page. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
  /** Only what was done to things of this type. */
  objectType?: ObjectType | null;
  /** Which one. With `targetType`. */
  targetId?: string | null;
  /** What the target is: of a reply, what it replies to. With `targetId`. */
  targetType?: ObjectType | null;
  /** Only what was done in this way. */
  verb?: Verb | null;
};

/** Which album's photos. */
export type ListAlbumPhotos = {
  /** From an earlier page. */
  cursor?: string | null;
  /** The album. */
  id: string;
  /** How many at most. */
  limit?: number;
};

/** Whose albums. */
export type ListAlbums = {
  /** From an earlier page. */
  cursor?: string | null;
  /** The profile. */
  id: string;
  /** How many at most. */
  limit?: number;
};

/** Which apps. */
export type ListApps = {
  /** From an earlier page. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
};

/** Which entries. */
export type ListAudit = {
  /** From an earlier page with the same filter. */
  cursor?: string | null;
  /** How many are looked at for one page; a filter leaves fewer. */
  limit?: number;
  /** Only calls of this method. */
  method?: string | null;
  /** Only what came to this. */
  outcome?: CameTo | null;
  /** Only calls by this person, or in their name. */
  profile?: string | null;
  /** Only what was asked then or later. */
  since?: string | null;
  /** Only calls with this id among their arguments. */
  target?: string | null;
  /** Only what was asked before. */
  until?: string | null;
};

/** A page of bans. */
export type ListBans = {
  /** From an earlier page. */
  cursor?: string | null;
  /** How many are looked at for one page; those that ended are left out. */
  limit?: number;
};

/** What happened to what. */
export type ListByObject = {
  /** From an earlier page. */
  cursor?: string | null;
  /** Which one. */
  id: string;
  /** How many at most. */
  limit?: number;
  /** What the object is. */
  objectType: ObjectType;
  /** Only what was done in this way. */
  verb?: Verb | null;
};

/** Whose posts. */
export type ListByProfile = {
  /** From an earlier page. */
  cursor?: string | null;
  /** The profile. */
  id: string;
  /** How many at most. */
  limit?: number;
};

/** Which tag. */
export type ListByTag = {
  /** From an earlier page. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
  /** The tag, with or without the `#`. */
  tag: Tag;
};

/** A page of my chats. */
export type ListChats = {
  /** From an earlier page. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
};

/** Which list. */
export type ListCheckIns = {
  /** From an earlier page. */
  cursor?: string | null;
  /** The place, or the profile. */
  id: string;
  /** How many at most. */
  limit?: number;
};

/** Which page. */
export type ListFeeds = {
  /** From an earlier page. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
};

/** Whose reactions are wanted. */
export type ListLikes = {
  /** From an earlier page. */
  cursor?: string | null;
  /** The post. */
  id: string;
  /** How many at most. */
  limit?: number;
};

/** Part of a link list. */
export type ListLinks = {
  /** From an earlier page. */
  cursor?: string | null;
  /** What they start from. */
  from: string;
  /** How many at most. */
  limit?: number;
  /** Not older than this. */
  since?: string | null;
  /** Their type. */
  type: Name;
  /** Not newer than this. */
  until?: string | null;
};

/** A page of the log. */
export type ListLog = {
  /** From an earlier page. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
};

/** Whose members. */
export type ListMembers = {
  /** The chat. */
  chat: string;
  /** From an earlier page. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
};

/** Which messages. */
export type ListMessages = {
  /** A page's `after`: what is newer than that page. */
  after?: string | null;
  /** A place: half of the page from it on back, and half after it. */
  around?: string | null;
  /** A page's `before`: what is older than that page. */
  before?: string | null;
  /** The chat. */
  chat: string;
  /** A page's `cursor`: go on in its direction. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
};

/** A page of one of my lists. */
export type ListMine = {
  /** From an earlier page. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
};

/** Which items. */
export type ListNews = {
  /** From an earlier page. */
  cursor?: string | null;
  /** Of this feed; of all feeds, if absent. */
  feed?: string | null;
  /** How many at most. */
  limit?: number;
};

/** Which notes. */
export type ListNotes = {
  /** Only those about this object. A page may then have fewer items than it could, or none, though there is more. */
  about?: NoteSubject | null;
  /** From an earlier page. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
};

/** A page of notifications. */
export type ListNotifications = {
  /** From an earlier page. */
  cursor?: string | null;
  /** How many groups at most. */
  limit?: number;
};

/** Whose list. */
export type ListOf = {
  /** From an earlier page. */
  cursor?: string | null;
  /** The profile. */
  id: string;
  /** How many at most. */
  limit?: number;
};

/** Whose presence. */
export type ListPresence = {
  /** 1 to 200 profiles. */
  ids: Array<string>;
};

/** Whose photos. */
export type ListProfilePhotos = {
  /** From an earlier page. */
  cursor?: string | null;
  /** The profile. */
  id: string;
  /** How many at most. */
  limit?: number;
};

/** Which people. */
export type ListProfiles = {
  /** Only those who are banned, or only those who are not. */
  banned?: boolean | null;
  /** From an earlier page. */
  cursor?: string | null;
  /** How many are looked at for one page; a filter leaves fewer. */
  limit?: number;
  /** Only private profiles, or only those that are not. */
  private?: boolean | null;
};

/** A page of the directory. */
export type ListProfiles2 = {
  /** From an earlier page. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
};

/** Which cases. */
export type ListQueue = {
  /** Only those of this moderator. A page may have fewer then. */
  assignee?: string | null;
  /** From an earlier page. */
  cursor?: string | null;
  /** How many are looked at for one page. */
  limit?: number;
  /** In which order. */
  order?: QueueOrder;
};

/** Whose replies. */
export type ListReplies = {
  /** From an earlier page. */
  cursor?: string | null;
  /** In which order: the oldest first, if absent. */
  from?: From;
  /** How many at most. */
  limit?: number;
  /** To this post. */
  post?: string | null;
  /** Or to this reply. */
  reply?: string | null;
};

/** Which requests. */
export type ListRequests = {
  /** From an earlier page. */
  cursor?: string | null;
  /** Those that wait for me (the default), or mine. */
  direction?: Direction;
  /** How many at most. */
  limit?: number;
};

/** Which object. */
export type ListShares = {
  /** From an earlier page. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
  /** The object. */
  object: ShareableObject;
};

/** Which page. */
export type ListTracks = {
  /** From an earlier page. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
};

/** Which tweets. */
export type ListTweets = {
  /** From an earlier page. */
  cursor?: string | null;
  /** How many at most. */
  limit?: number;
  /** Of this track; of all tracks, if absent. */
  track?: string | null;
};

/** A token for one connection. */
export type LiveToken = {
  /** Until when. */
  expiresAt: string;
  /** Goes into the address: `realtime.subscribe?token=…`. Good for one connection. */
  token: string;
};

/** How a member is loaded. */
export type LoadView = {
  /** Partitions that it should lead. */
  leaders: number;
  /** What people call it. */
  name: string;
  /** Replicas that it holds. */
  replicas: number;
};

/** Counts of many posts. */
export type ManyCounts = {
  /** Those that there are and that the caller may see, in the order asked. */
  items: Array<Counts>;
};

/** How far I have read. */
export type MarkRead = {
  /** The chat. */
  chat: string;
  /** The newest message that I have read. This or `order`. */
  id?: string | null;
  /** Its `order`, for a phone whose message may be deleted by the time this arrives. */
  order?: string | null;
};

/** What was read. */
export type MarkRead2 = {
  /** And the rest of its group. */
  group?: boolean;
  /** This one. It or `order`. */
  id?: string | null;
  /** All up to this place. */
  order?: string | null;
};

/** Up to where. */
export type MarkSeen = {
  /** The place of the newest that I saw; the newest of all, if absent. */
  order?: string | null;
};

/** A timeline that is read to a mark. */
export type Marked = "home";

/** How far I have read a timeline. */
export type Marker = {
  /** The place of the newest entry that I have read. */
  order: string;
  /** The revision of the mark. */
  rev: Rev;
  /** Which timeline. */
  timeline: Marked;
};

/** How far I have read a timeline, and what is left of it. */
export type MarkerState = {
  /** The place of the newest entry that I have read; absent if none. */
  order?: string | null;
  /** Which timeline. */
  timeline: Marked;
  /** The entries after it; 100 stands for more than 99. */
  unread: number;
};

/** How far I have read, and what is left. */
export type Markers = {
  /** One per timeline. */
  items: Array<MarkerState>;
};

/** Who I am. */
export type Me = {
  /** My e-mail address. */
  email?: string | null;
  /** Whether I have shown that I read mail sent there. */
  emailConfirmed: boolean;
  /** My profile. */
  profile: Profile;
  /** My roles. */
  roles: Array<string>;
  /** My session; absent when the app's server acts for me. */
  session?: SessionView | null;
};

/** A finished upload. */
export type Media = {
  /** Whether it is a picture that moves. Its smaller sizes do not. */
  animated?: boolean;
  /** What to show of a picture while it is on its way. */
  blurHash?: string | null;
  /** Its size, in bytes. Of a picture, without what the camera wrote about itself. */
  bytes: number;
  /** Of a picture: its height, in points. */
  height?: number | null;
  /** Its id: that of the upload. */
  id: string;
  /** What can be done with it. */
  kind: MediaKind;
  /** Smaller sizes of a picture, the largest first. */
  sizes?: Array<MediaSize>;
  /** Its content type, by its bytes. */
  type: string;
  /** Where it is: a path on this server that needs no headers. Of what everybody may see, good for good; else for a day, and then to be asked for again. */
  url: string;
  /** Of a picture: its width, in points, the right way up. */
  width?: number | null;
};

/** What a client can do with a file. */
export type MediaKind = "image" | "video" | "audio" | "file";

/** A smaller size of a picture. */
export type MediaSize = {
  /** Its size, in bytes. */
  bytes: number;
  /** Its height, in points. */
  height: number;
  /** `large`: at most 1,600 points wide and high; `medium`: 800; `small`: 320. */
  name: string;
  /** Its content type. */
  type: string;
  /** Where it is. */
  url: string;
  /** Its width, in points. */
  width: number;
};

/** What a member may do. */
export type MemberRole = {
  /** The chat. */
  chat: string;
  /** The member. */
  profile: string;
  /** What the member may do. */
  role: ChatRole;
};

/** How a member is. */
export type MemberStatus = {
  /** Checkpoints since its start. */
  checkpoints: number;
  /** Log entries written since its start. */
  entries: number;
  /** Its id. */
  id: string;
  /** Log entries, over all partitions, that others have applied and it has not. Null if it did not answer. */
  lag: number | null;
  /** Partitions that it leads. */
  leaders: number;
  /** What people call it. */
  name: string;
  /** Partitions that it holds. */
  partitions: number;
  /** What waits. */
  queues: Queues;
  /** Whether it answers the member that was asked. */
  reachable: boolean;
  /** Whether it takes requests. */
  ready: boolean;
  /** Rows written since its start. */
  rows: number;
  /** `joining`, `leaving`, `left` or `down`, where operators have said so; else `valid`; `suspect` while it does not trust some of its rows; `starting` while partitions of it have had no leader yet; `unknown` if it did not answer. */
  state: string;
  /** Log syncs since its start. */
  syncs: number;
  /** Bytes in its memory tables. */
  tableBytes: number;
  /** What it may fail together with; null while the cluster does not know of zones. */
  zone: string | null;
};

/** A member. */
export type MemberView = {
  /** Its id. */
  id: string;
  /** Partitions that it should lead, of those that it holds. */
  leaders: number;
  /** What people call it. */
  name: string;
  /** Partitions that it holds. */
  partitions: number;
  /** `joining`, `valid`, `leaving` or `down`. */
  state: string;
  /** Partitions that it should hold. */
  target: number;
  /** Its share of the load, relative to the others'. */
  weight: number;
  /** What it may fail together with. */
  zone: string;
};

/** A message, or what else happened in a chat. */
export type Message = {
  /** Who wrote it. */
  author: string;
  /** Its author was erased: there is no such profile any more. */
  authorDeleted?: boolean;
  /** The chat. */
  chat: string;
  /** When it was sent, by the server's clock. Not what orders messages. */
  createdAt: string;
  /** When it was last edited. */
  editedAt?: string | null;
  /** Its id, chosen by the author's device. */
  id: string;
  /** What it is. */
  kind: MessageKind;
  /** What it points to. */
  link?: string | null;
  /** Profiles that it mentions. */
  mentions?: Array<string>;
  /** Its place in the chat, the same for everybody: a later message has a greater text. */
  order: string;
  /** Where it was written, or where to meet. */
  place?: Place | null;
  /** Who was added or removed. */
  profiles?: Array<string>;
  /** The message that it answers. */
  replyTo?: string | null;
  /** Its revision. */
  rev: Rev;
  /** Something that it shares. Whether its reader may see that is another matter. */
  shared?: Object | null;
  /** What it says. */
  text?: string | null;
};

/** What an entry of a chat tells. */
export type MessageKind = "message" | "added" | "removed" | "left";

/** A page of messages. */
export type MessagePage = {
  /** For what is newer than this page. */
  after: string;
  /** For what is older than this page. */
  before: string;
  /** Goes on in the direction of this page. */
  cursor: string;
  /** Whether there is nothing more in the direction of this page, for now. */
  end: boolean;
  /** Newest first, whichever way the page was fetched. May be empty though there is more. */
  items: Array<Message>;
};

/** What I may do. */
export type Mine = {
  /** Methods that they allow, beyond what everybody signed in may call. */
  methods: Array<string>;
  /** Roles that I hold now. */
  roles: Array<string>;
};

/** A replica that moves, or a partition that is led by another. */
export type MoveView = {
  /** Who gives it up; null if it is one more. */
  from: string | null;
  /** The partition. */
  partition: number;
  /** Who takes it; null if it is one less. */
  to: string | null;
};

/** A mute. */
export type Mute = {
  /** What is muted. */
  subject: Subject;
  /** Until when; for good if it is absent. */
  until?: string | null;
};

/** A mute in the list. */
export type Muted = {
  /** Since when. */
  createdAt: string;
  /** What is muted. */
  subject: Subject;
  /** Until when; for good if it is absent. */
  until?: string | null;
};

/** A page of a list. */
export type MutedPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Muted>;
};

/** My reaction to a post. */
export type MyLike = {
  /** The post. */
  id: string;
  /** My reaction; absent if there is none. */
  mine?: string | null;
};

/** My rate limits. */
export type MyLimits = {
  /** In no particular order; empty where the app has none. */
  items: Array<LimitState>;
};

/** A session of mine. */
export type MySession = {
  /** Since when. */
  createdAt: string;
  /** Whether it is the one that asks. */
  current: boolean;
  /** The device that it belongs to. */
  device: string;
  /** What is known of the device. */
  deviceInfo?: Device | null;
  /** When it ends unless it is refreshed. */
  expiresAt: string;
  /** Its id. */
  id: string;
  /** How somebody signed in. */
  proof: Proof;
  /** When tokens were last given out. */
  refreshedAt: string;
};

/** A page of a list. */
export type MySessionPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<MySession>;
};

/** The name of a type or attribute: a letter, then up to 63 letters, digits or underscores. */
export type Name = string;

/** A thing, or its address. */
export type Named = string | Thing;

/** Whom to ban. */
export type NewBan = {
  /** Why. Moderators read this. */
  reason: string;
  /** Who or what. */
  target: BanTarget;
  /** When it ends; if absent, when it is lifted. */
  until?: string | null;
};

/** A hook that is wanted. */
export type NewHook = {
  /** Whether it is told of chats and messages too. Only if the app's settings allow it. */
  chats?: boolean;
  /** What it is to be told of; if absent, of everything. */
  events?: Array<EventName> | null;
  /** Its id, chosen by the caller. */
  id: string;
  /** Where deliveries go: an `https` address; an `http` one only if the app's settings allow it. Nobody is asked there while it is made. */
  url: string;
};

/** A new key. */
export type NewKey = {
  /** Its id, chosen by the caller. */
  id: string;
  /** What it may do. */
  kind: KeyUse;
  /** What people call it. */
  name: string;
};

/** A report to make. */
export type NewReport = {
  /** Its id, chosen by the caller: sent again, it is the same report. */
  id: string;
  /** What is reported. I must be able to see it. */
  object: Object;
  /** Why. */
  reason: Reason;
  /** In my words. */
  text?: string | null;
};

/** A feed. */
export type NewsFeed = {
  /** When it was added. */
  createdAt: string;
  /** What it says that it is about. */
  description?: string | null;
  /** How reading it goes; for administrators of the app. */
  health?: SourceHealth | null;
  /** Its id, chosen by who added it. */
  id: string;
  /** Its revision. */
  rev: Rev;
  /** The page that it belongs to. */
  site?: string | null;
  /** What it is called; absent until it was read, unless somebody said it. */
  title?: string | null;
  /** Where it is. */
  url: FeedAddress;
};

/** A page of a list. */
export type NewsFeedPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<NewsFeed>;
};

/** An item of a feed. Its texts are plain. */
export type NewsItem = {
  /** Who wrote it. */
  author?: string | null;
  /** What it is about. */
  categories?: Array<string>;
  /** The feed. */
  feed: string;
  /** When it was found. */
  foundAt: string;
  /** Its id. With it, people like it and reply to it as to a post. */
  id: string;
  /** A picture of it, at a server of others. */
  image?: string | null;
  /** Reactions that were made here. */
  likes: Likes;
  /** Its page. */
  link?: string | null;
  /** When it was published, as the feed claims; never later than it was found. */
  publishedAt: string;
  /** How many replies were made here. */
  replies: number;
  /** Its revision. */
  rev: Rev;
  /** What it says, shortened. */
  summary?: string | null;
  /** Its title; may be empty. */
  title: string;
};

/** A page of a list. */
export type NewsItemPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<NewsItem>;
};

/** Nodes. */
export type Nodes = {
  /** Those that there are and that the caller may see, in the order asked. */
  items: Array<GraphNode>;
};

/** A note. */
export type Note = {
  /** What it is about. */
  about?: NoteSubject | null;
  /** Texts that were written elsewhere at the same time, the newest last. They are kept until somebody who has seen them writes the text. */
  conflicts?: Array<NoteVersion>;
  /** When it was made, by the server's clock. */
  createdAt: string;
  /** When it was last edited. */
  editedAt?: string | null;
  /** Its id, chosen by the author's device. */
  id: string;
  /** Its revision. */
  rev: Rev;
  /** What it says. */
  text: string;
  /** Its title. */
  title?: string | null;
};

/** A page of a list. */
export type NotePage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Note>;
};

/** What a note is about: kind and id, like `node:UUID`, as `sync.pull` names roots. It is the writer's own word: nobody checks that it is there or may be seen. */
export type NoteSubject = string;

/** A text of a note that was written on another device without knowing of the one that the note has. */
export type NoteVersion = {
  /** On which device; absent if the app's server wrote it. */
  device?: string | null;
  /** When it was written. */
  editedAt: string;
  /** What it says. */
  text: string;
};

/** What happened to one thing on one day. */
export type Notification = {
  /** Who did it: up to 3, the newest first. */
  actors: Array<string>;
  /** How many did it that day. */
  count: number;
  /** When the newest came. */
  createdAt: string;
  /** The id of the newest of the group. */
  id: string;
  /** What happened. */
  kind: Kind;
  /** What it was done to, or with: the like's post, the new reply, the chat. Like `post:UUID`. */
  object: string;
  /** The place of the newest. */
  order: string;
  /** All of the group were read. */
  read: boolean;
  /** I have opened the centre since it came. */
  seen: boolean;
  /** What it belongs to: of a reply, what it replies to. */
  target?: string | null;
};

/** A page of a list. */
export type NotificationPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Notification>;
};

/** What a call would be about. */
export type Object = {
  /** Which one. */
  id: string;
  /** What it is. */
  kind: ObjectKind;
};

/** Which thing. */
export type Object2 = {
  /** Its id. */
  id: string;
  /** What it is. */
  type: ThingKind;
};

/** What an object is. */
export type ObjectKind = "profile" | "post";

/** What an activity is about. */
export type ObjectType = "post" | "reply" | "profile";

/** An answer. */
export type OneAnswer = {
  /** Whether I may. Limits on how often may still stand in the way. */
  allowed: boolean;
  /** The method's name. */
  method: string;
  /** What it would be about. */
  object?: Object | null;
  /** Why not. */
  reason?: Reason2 | null;
};

/** A call that I might make. */
export type OneCall = {
  /** The method's name. */
  method: string;
  /** What it would be about. */
  object?: Object | null;
};

/** One or several. */
export type OneOrMore = Named | Array<Named>;

/** Which reply. */
export type OneReply = {
  /** The reply. */
  id: string;
};

/** What happened to something. */
export type Op = "put" | "delete" | "mark" | "resync" | "scopeAdded" | "scopeDropped";

/** What became of an operation. */
export type OpResult = {
  /** The problem's code, if it failed. */
  code?: string | null;
  /** Its id. */
  op: string;
  /** It was done before: this is the reply of then. */
  replayed?: boolean;
  /** In how many seconds to try again. */
  retryAfterS?: number | null;
  /** The entity's revision. */
  rev?: Rev | null;
  /** The HTTP status that it would have had as a call of its own. */
  status: number;
  /** The reply; where a revision was stale, the entity as it is now. */
  value?: unknown;
};

/** With whom. */
export type OpenDirect = {
  /** The other profile. */
  with: string;
};

/** A session that was opened or refreshed, with its tokens. They are opaque, and secret. */
export type Opened = {
  /** When it runs out. */
  accessExpiresAt: string;
  /** For the header `Authorization: Bearer`, for 15 minutes. */
  accessToken: string;
  /** The profile. */
  profile: Profile;
  /** When the session ends unless it is refreshed. */
  refreshExpiresAt: string;
  /** For `auth.refreshSession`, once. */
  refreshToken: string;
  /** The session. */
  session: SessionView;
};

/** Which profile. */
export type Other = {
  /** The other profile. */
  id: string;
};

/** Which profile. */
export type Other2 = {
  /** The other profile. */
  id: string;
};

/** What a moderator found. */
export type Outcome = "dismissed" | "acted";

/** A page in brief, as it says. All texts are plain; what they say is its author's business. */
export type PagePreview = {
  /** Its address as it wants to be linked, on the same host. */
  canonical?: string | null;
  /** A little more. */
  description?: string | null;
  /** A picture, at a server of others. */
  image?: string | null;
  /** What it is, as Open Graph names it: `article`, `website`; `image` for a picture. */
  kind?: string | null;
  /** The site that it belongs to; its host, if it does not say. */
  site: string;
  /** What it is called. */
  title?: string | null;
  /** Where it was found, after redirects. */
  url: string;
};

/** What is replied to. */
export type Parent = {
  /** Which one. */
  id: string;
  /** What it is. */
  kind: ParentKind;
};

/** What can be replied to. */
export type ParentKind = "post" | "reply";

/** How a partition is. */
export type PartitionStatus = {
  /** Its number. */
  id: number;
  /** The member that leads it; null while none is known. */
  leader: string | null;
  /** Members that follow it and do not vote. */
  learners: Array<string>;
  /** What is applied of it, where most is. */
  position: number;
  /** The members that hold it; the one that should lead comes first. */
  replicas: Array<string>;
  /** Whether a member does not trust its rows. */
  suspect: boolean;
};

/** A partition. */
export type PartitionView = {
  /** Its number. */
  id: number;
  /** The member that leads it, as far as the one that was asked knows; null while none is known. */
  leader: string | null;
  /** Members that follow it and do not vote. */
  learners: Array<string>;
  /** What the member that was asked has applied of it; null if it does not hold it. */
  position: number | null;
  /** The members that hold it; the one that should lead comes first. */
  replicas: Array<string>;
  /** The members that should hold it. */
  target: Array<string>;
};

/** What to change of a node. */
export type PatchNode = {
  /** Attributes to set; `null` clears one. Others are left as they are. */
  attributes: Record<string, unknown>;
  /** The node. */
  id: string;
  /** Refuse if the node is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
};

/** A photo. */
export type Photo = {
  /** What is on it, for who cannot see it. */
  alt?: string | null;
  /** Who may see it. */
  audience: Audience;
  /** Who published it. */
  author: string;
  /** What it says. */
  caption?: string | null;
  /** When it was published, by the server's clock. */
  createdAt: string;
  /** When it was last edited. */
  editedAt?: string | null;
  /** Its id, chosen by the author's device. */
  id: string;
  /** The picture. */
  media: Media;
  /** Who is on it, as far as the caller may know of them. */
  people: Array<PhotoTag>;
  /** Where it was taken. */
  place?: Place | null;
  /** A moderator took it down; only its author still sees it. */
  removed?: boolean;
  /** Its revision. Who is on it does not change it. */
  rev: Rev;
};

/** A page of a list. */
export type PhotoPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Photo>;
};

/** Somebody on a photo. */
export type PhotoTag = {
  /** Who. */
  profile: string;
  /** Where: from the left (0) to the right (1). */
  x?: Share | null;
  /** Where: from the top (0) to the bottom (1). */
  y?: Share | null;
};

/** A place on Earth. */
export type Place = {
  /** Degrees north, -90 to 90. */
  latitude: number;
  /** Degrees east, -180 to 180. */
  longitude: number;
  /** What people call it. */
  name?: string | null;
};

/** The place of a check-in. */
export type PlaceInBrief = {
  /** The place. */
  id: string;
  /** Degrees north, -90 to 90. */
  latitude?: number;
  /** Degrees east, -180 to 180. The date line is at -180. */
  longitude?: number;
  /** What people call it; absent if it was taken down. */
  name?: string | null;
};

/** What goes, and what stays. */
export type Plan = {
  /** Kinds of things that go for ever. */
  erased: Array<string>;
  /** Kinds of things that stay, without a name to them. */
  kept: Array<string>;
};

/** What would come of a commit. */
export type PlanView = {
  /** The load when all is done. */
  after: BalanceView;
  /** As of when, in milliseconds since 1970. */
  asOfMs: number;
  /** Those, and partitions of which no majority would be left: what was acknowledged may be lost. */
  atRisk: Array<number>;
  /** The load as it is. */
  before: BalanceView;
  /** The staged changes, in order. */
  changes: Array<ChangeView>;
  /** The cluster; null for a member that is alone. */
  cluster: string | null;
  /** Of the ring. */
  generation: number;
  /** Every partition that somebody else would lead. */
  leaders: Array<MoveView>;
  /** Partitions of which no replica would be left: their rows are lost. */
  lost: Array<number>;
  /** Every replica that would move. */
  moves: Array<MoveView>;
  /** What `cluster.commitChanges` is told; null if nothing is staged and the ring is what it should be. */
  planId: string | null;
  /** Why a commit would be refused; null if it would not. */
  refused: string | null;
};

/** A post. */
export type Post = {
  /** Who may read it. */
  audience: Audience;
  /** Who wrote it. */
  author: string;
  /** When it was published, by the server's clock. */
  createdAt: string;
  /** When it was last edited. */
  editedAt?: string | null;
  /** Its id, chosen by the author's device. */
  id: string;
  /** Its reactions; absent in the replies of procedures. */
  likes?: Likes | null;
  /** What it points to. */
  link?: string | null;
  /** What it shows. */
  media?: Array<Media>;
  /** Profiles that it mentions. */
  mentions: Array<string>;
  /** Where it was written. */
  place?: Place | null;
  /** Why it was taken down. */
  removal?: Removal | null;
  /** A moderator took it down; only its author still sees it. */
  removed?: boolean;
  /** How many replies it has; absent in the replies of procedures. */
  replies?: number | null;
  /** Its revision. Reactions do not change it. */
  rev: Rev;
  /** Its tags, folded to lower case. */
  tags: Array<Tag>;
  /** What it says. */
  text: string;
};

/** A page of a list. */
export type PostPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Post>;
};

/** Posts. */
export type Posts = {
  /** Those that there are and that the caller may see, in the order asked. */
  items: Array<Post>;
};

/** How one kind is told. */
export type Preference = {
  /** Whether it stands in the notification centre and counts as unread. If not, it is not pushed either. */
  inApp: boolean;
  /** Whether it is pushed to my devices. */
  push: boolean;
};

/** How each kind is told. */
export type Preferences = {
  /** By kind; all kinds are there. */
  kinds: Record<string, Preference>;
  /** When nothing is pushed that would be shown: it comes when they are over. Absent: never. */
  quietHours?: QuietHours | null;
  /** The revision; absent as long as nothing was changed. */
  rev?: Rev | null;
};

/** How somebody is there. */
export type Presence = "online" | "away" | "hidden";

/** How somebody is there. */
export type PresenceOf = {
  /** Who. */
  profile: string;
  /** How. */
  state: string;
  /** Until when that holds. */
  until: string;
};

/** Who is there. */
export type Presences = {
  /** Those of the profiles that are there and whom the caller may see, in the order asked. */
  items: Array<PresenceOf>;
};

/** A profile. Of a private one, strangers see the outline: neither text, cover, links nor fields. */
export type Profile = {
  /** What it says about itself. */
  about?: string | null;
  /** Its picture. */
  avatar?: Media | null;
  /** Whether it is banned: told to moderators, and to nobody else. */
  banned?: boolean;
  /** Followers and followed. */
  counts: ProfileCounts;
  /** The picture behind it. */
  cover?: Media | null;
  /** When it was made. */
  createdAt: string;
  /** The app's own fields. */
  fields?: Record<string, unknown>;
  /** Whether it belongs to a guest. */
  guest: boolean;
  /** Its unique handle, if it took one. */
  handle?: string | null;
  /** Its id. */
  id: string;
  /** Its links. */
  links?: Array<ProfileLink>;
  /** Its name. */
  name?: string | null;
  /** Whether it asks who may follow it, and shows what it has to followers only. */
  private: boolean;
  /** The caller's relation to it, unless it is the caller's own. */
  relation?: Relation | null;
  /** Its revision. */
  rev: Rev;
};

/** Followers and followed. */
export type ProfileCounts = {
  /** Who follows this profile. */
  followers: number;
  /** Whom it follows. */
  following: number;
};

/** A link that somebody shows on their profile. */
export type ProfileLink = {
  /** What it is called. */
  label: string;
  /** Where it leads: http or https. */
  url: string;
};

/** A page of a list. */
export type ProfilePage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Profile>;
};

/** Profiles. */
export type Profiles = {
  /** In the order asked. */
  items: Array<Found>;
};

/** How much of an upload has come. */
export type Progress = {
  /** The upload. */
  id: string;
  /** How many bytes have come: where the next part begins. */
  offset: number;
  /** How many it has. */
  size: number;
};

/** How somebody signed in. */
export type Proof = "guest" | "password" | "code" | "provider";

/** An identity provider (OpenID Connect). */
export type Provider = {
  /** The app's clients there: 1 to 10. A token for any other is refused. */
  clientIds: Array<string>;
  /** Who it is, as its tokens say: an `https` address without a query. Its keys are looked up below it. */
  issuer: string;
  /** What the app calls it: 1 to 32 of `a-z`, `0-9` and `-`. */
  name: string;
};

/** A linked account. */
export type ProviderLink = {
  /** Its address there, if the provider says that it is theirs. */
  email?: string | null;
  /** Who it is. */
  issuer: string;
  /** Since when. */
  linkedAt: string;
  /** The provider, as the app calls it. */
  provider: string;
  /** The provider's name of the account. */
  subject: string;
};

/** A page of a list. */
export type ProviderLinkPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<ProviderLink>;
};

/** What a phone asks for. */
export type Pull = {
  /** The last page's. Without one, everything comes. */
  cursor?: string | null;
  /** How many items at most, more or less: a page never ends inside a write. */
  limit?: number;
  /** Up to 50 roots that the phone has open, beside its own profile's: their public part follows too, as far as the caller may see it. Those that are no longer named are dropped. Absent: as the cursor has it. */
  roots?: Array<string> | null;
  /** How long to wait when there is nothing new. */
  waitS?: WaitS;
};

/** What a code is good for. */
export type Purpose = "login" | "confirm" | "reset";

/** What push services may see. */
export type Push = {
  /** Of a notification that is pushed. */
  show: Show;
};

/** A queue. */
export type Push2 = {
  /** Up to 50 operations, in the order in which they were made. */
  operations: Array<Queued>;
};

/** How a device is reached, and how that went lately. */
export type PushHealth = {
  /** When its service last took a push. */
  acceptedAt?: string | null;
  /** When a push to it was last given up. */
  failedAt?: string | null;
  /** Why. */
  reason?: string | null;
  /** Which service reaches it. */
  service: Service;
  /** Since when. */
  since: string;
  /** Whether it is woken to sync. */
  wake: boolean;
};

/** What push services may see. */
export type PushInput = {
  /** Of a notification that is pushed. */
  show?: Show;
};

/** How a device is reached. */
export type PushToken = {
  /** The device. */
  device: string;
  /** Which service reaches it. */
  service: Service;
  /** Since when. */
  since: string;
  /** Whether it is woken to sync. */
  wake: boolean;
};

/** What became of a queue. */
export type Pushed = {
  /** One result for each operation up to where it stopped, in order. */
  results: Array<OpResult>;
  /** The operation that is to be sent again later, with all that follow it. */
  stoppedAt?: string | null;
};

/** A reaction to make. */
export type PutLike = {
  /** The post. */
  id: string;
  /** Which reaction; `like`, if absent. Another one replaces it. */
  kind?: KindInput;
};

/** A link to add or to change. */
export type PutLink = {
  /** Its data: any JSON value. */
  data?: unknown;
  /** What it starts from. */
  from: string;
  /** Its time, by which lists are ordered. If absent, a new link gets the server's, and one that exists keeps its own. */
  time?: string | null;
  /** What it leads to. Need not exist. */
  to: string;
  /** Its type. */
  type: Name;
};

/** A node to make or to replace. */
export type PutNode = {
  /** All its attributes. */
  attributes?: Record<string, unknown>;
  /** Its id, chosen by the caller. */
  id: string;
  /** Refuse if the node is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** Its type. Cannot be changed. */
  type: Name;
};

/** A part of an upload. */
export type PutPart = {
  /** The upload. */
  id: string;
  /** Where the part begins: at most how much has come. */
  offset: number;
};

/** A role. */
export type PutRole = {
  /** Refuse if the role is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** All methods that its holders may call beyond what everybody signed in may: moderators' and administrators' ones. */
  methods: Array<string>;
  /** Its name: 1 to 40 of a-z, 0-9 and -. */
  name: string;
};

/** A type to declare, or to declare again. */
export type PutType = {
  /** Attributes of nodes and what they hold; any, if absent. */
  attributes?: Record<string, AttrKind> | null;
  /** What links start from: a node, if absent. Cannot be changed. */
  from?: EndKind;
  /** Refuse if the declaration is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** The link type that is kept the other way round. */
  inverse?: Name | null;
  /** Nodes or links. Cannot be changed. */
  kind: TypeKind;
  /** Its name, unique over node and link types. Never changes. */
  name: Name;
  /** Who may read. Cannot be changed, because it decides where things are stored. */
  read: Readers;
  /** What links lead to: a node, if absent. Cannot be changed. */
  to?: EndKind;
  /** Who may write. */
  write: Writers2;
};

/** In which order. */
export type QueueOrder = "age" | "weight";

/** An operation. */
export type Queued = {
  /** The method's arguments. */
  args: unknown;
  /** When the person did it, by the phone's clock. Two edits of one field go to the later one. */
  editedAt?: string | null;
  /** Refuse if what it changes is not at this revision. */
  ifRev?: Rev | null;
  /** What the last page of `sync.pull` before it said is known, as it is. Without it, something that was deleted more than 30 days ago may be made again; with it, that is 410 `cursor-expired`. */
  known?: KnownRoot | null;
  /** The method; a procedure. */
  method: string;
  /** Its id: the same operation again, in whichever call, is done once. */
  op: string;
};

/** What waits. */
export type Queues = {
  /** Frames for it, on the member that was asked. */
  frames: number;
  /** Fan-outs under way. */
  pipes: number;
  /** Requests that wait for its answer, on the member that was asked. */
  requests: number;
  /** Steps for other partitions. */
  steps: number;
};

/** From when until when. The other way round, they go over midnight; the same twice is never. */
export type QuietHours = {
  /** The first minute of quiet, like `22:00`. */
  from: string;
  /** Where that is so. */
  timeZone: string;
  /** The first minute after it, like `07:30`. */
  to: string;
};

/** How often may be called. */
export type RateInForce = {
  /** How many may come at once. */
  burst: number;
  /** Of which class. */
  class: string;
  /** How many calls. */
  count: number;
  /** In how many seconds. */
  windowS: number;
};

/** A limit: this many in this time. */
export type RateRule = {
  /** How many, 1 to 1,000,000. */
  count: number;
  /** In how many seconds, 1 to 86,400. */
  windowS: number;
};

/** Limits on how often may be called. What is `null` is the server's own. */
export type Rates = {
  /** Whether calls are limited at all. */
  enabled: Enabled;
  /** Follows of one caller. */
  follow: RateRule | null;
  /** Attempts to sign in, per account and per address. */
  login: RateRule | null;
  /** Mails that one address causes. */
  mail: RateRule | null;
  /** Reads of one caller. */
  read: RateRule | null;
  /** Accounts that one address makes. */
  signUp: RateRule | null;
  /** Writes of one caller. */
  write: RateRule | null;
};

/** Limits on how often may be called. What is `null` is the server's own. */
export type RatesInput = {
  /** Whether calls are limited at all. */
  enabled?: Enabled;
  /** Follows of one caller. */
  follow?: RateRule | null;
  /** Attempts to sign in, per account and per address. */
  login?: RateRule | null;
  /** Mails that one address causes. */
  mail?: RateRule | null;
  /** Reads of one caller. */
  read?: RateRule | null;
  /** Accounts that one address makes. */
  signUp?: RateRule | null;
  /** Writes of one caller. */
  write?: RateRule | null;
};

/** What is read now. */
export type Read = {
  /** Those that were named, with the rest of the group if that was asked for. */
  ids: Array<string>;
  /** The place up to which all are read; absent if they were named. */
  order?: string | null;
};

/** From where, and how much. */
export type ReadEvents = {
  /** From the last reply of this slice. Without one, everything that there is comes first: things that were made and not changed since as `…created`, the others as `…updated`. */
  cursor?: string | null;
  /** Without a cursor: nothing that there is, but what happens from now on. */
  fromNow?: boolean;
  /** About how many events: those of one write are not torn apart. */
  limit?: number;
  /** Which slice of the data, from 0; 0 if absent. All of them are read by asking for each: see `slices` in the reply. */
  slice?: number;
};

/** How far I have read a chat. */
export type ReadMark = {
  /** The chat. */
  chat: string;
  /** The place of the newest message that I have read; absent if there is none. */
  readTo?: string | null;
  /** Messages of others after it; 100 stands for more than 99. */
  unread: number;
};

/** Who may read. */
export type Readers = "anyone" | "user" | "owner" | "server";

/** Why somebody reports something. */
export type Reason = "spam" | "harassment" | "hate" | "violence" | "sexual" | "selfHarm" | "illegal" | "impersonation" | "other";

/** Why not. */
export type Reason2 = "unknownMethod" | "role" | "notFound" | "notOwner";

/** The proof. */
export type RefreshSession = {
  /** The refresh token. */
  refreshToken: string;
};

/** My relation to somebody. */
export type Relation = {
  /** I block it. */
  blocking: boolean;
  /** It follows me. */
  followedBy: boolean;
  /** I follow it. */
  following: boolean;
  /** The other profile. */
  id: string;
  /** I mute it. */
  muted: boolean;
  /** I asked to follow it. */
  requested: boolean;
  /** It asked to follow me. */
  requestedBy: boolean;
};

/** Relations. */
export type Relations = {
  /** In the order asked. */
  items: Array<Relation>;
};

/** Why and when content was taken down, as its author is told. */
export type Removal = {
  /** When. */
  at: string;
  /** Why. */
  reason: string;
};

/** What to take down. */
export type RemoveContent = {
  /** A post. */
  object: Object;
  /** Why. Its author reads this. */
  reason: string;
};

/** A reply, and what it goes back to. */
export type ReplyInThread = {
  /** The replies between the post and this one, from the post down; at most 50, the nearest. */
  ancestors: Array<Ancestor>;
  /** Who wrote it. */
  author: string;
  /** When it was written, by the server's clock. */
  createdAt: string;
  /** It was deleted. */
  deleted?: boolean;
  /** When it was last edited. */
  editedAt?: string | null;
  /** Its id, chosen by the author's device. */
  id: string;
  /** Profiles that it mentions. */
  mentions: Array<string>;
  /** The post at the root of its thread: who sees that may see the reply. */
  post: string;
  /** A moderator took it down; only its author still sees it. */
  removed?: boolean;
  /** How many replies it has itself; absent in the replies of procedures. */
  replies?: number | null;
  /** Its revision. Replies to it do not change it. */
  rev: Rev;
  /** What it says; absent of a deleted one, which stays for the replies to it. */
  text?: string | null;
  /** What it replies to. */
  to: Parent;
};

/** A report of mine. */
export type Report = {
  /** When. */
  createdAt: string;
  /** Its id. */
  id: string;
  /** What is reported. */
  object: Object;
  /** Why. */
  reason: Reason;
  /** In my words. */
  text?: string | null;
};

/** What for, and where to. */
export type RequestCode = {
  /** The address of an account. */
  email: string;
  /** The request's id. Pick it yourself, so that a retry sends no second mail. */
  id?: string | null;
  /** What for. */
  purpose: Purpose;
};

/** A wish to be erased. */
export type RequestDeletion = {
  /** Its id, chosen by the caller. Keep it: it shows the receipt. */
  id: string;
};

/** A wish for an export. */
export type RequestExport = {
  /** Its id, chosen by the caller. */
  id: string;
};

/** Which address, the code, and the new password. */
export type ResetPassword = {
  /** The code that was sent there for this. */
  code: string;
  /** The address. */
  email: string;
  /** The password from now on. */
  password: string;
};

/** Which cases to close. */
export type Resolve = {
  /** For the log. */
  note?: string | null;
  /** What was reported, 1 to 50 of them. */
  objects: Array<Object>;
  /** With which outcome. */
  outcome: Outcome;
};

/** What was closed. */
export type Resolved = {
  /** Those that were open until now, in the order asked. */
  resolved: Array<Object>;
};

/** What to put back. */
export type RestoreContent = {
  /** A post. */
  object: Object;
  /** Why, for the log. */
  reason?: string | null;
};

/** What became of a batch. */
export type Results = {
  /** One for each call that was made, in order. */
  results: Array<CallResult>;
};

/** How many of the newest entries of each stream are kept. Older ones are trimmed, some at a time, as new ones arrive. */
export type Retention = {
  /** Of the audit log, 1,000 to 50,000. */
  auditEntries: number;
  /** Of each part of the app's feed, 100 to 10,000. */
  feedEntries: number;
  /** Of each home timeline, 100 to 10,000. */
  homeEntries: number;
  /** Of each tag, 100 to 10,000. */
  tagEntries: number;
};

/** How many of the newest entries of each stream are kept. Older ones are trimmed, some at a time, as new ones arrive. */
export type RetentionInput = {
  /** Of the audit log, 1,000 to 50,000. */
  auditEntries?: number;
  /** Of each part of the app's feed, 100 to 10,000. */
  feedEntries?: number;
  /** Of each home timeline, 100 to 10,000. */
  homeEntries?: number;
  /** Of each tag, 100 to 10,000. */
  tagEntries?: number;
};

/** Revision of an entity: opaque; another text means another state. */
export type Rev = string;

/** A revision that is kept. */
export type Revision = {
  /** Since when it was in force. */
  createdAt: string;
  /** Its name. */
  rev: Rev;
};

/** Which grant. */
export type RevokeRole = {
  /** From whom. */
  profile: string;
  /** The role. */
  role: string;
};

/** Who belongs to the cluster, and who holds what. */
export type RingView = {
  /** As of when, in milliseconds since 1970. */
  asOfMs: number;
  /** The cluster; null for a member that is alone. */
  cluster: string | null;
  /** Of the ring: it goes up whenever a partition is held by others, or should be led by another. */
  generation: number;
  /** The members, by name. */
  members: Array<MemberView>;
  /** The partitions, by number. */
  partitions: Array<PartitionView>;
  /** Replicas that each partition should have, if there are members enough. */
  replicas: number;
  /** Counts what a plan depends on. */
  revision: number;
  /** What is staged, in the order in which it was. */
  staged: Array<ChangeView>;
};

/** A role of the app's own. */
export type RoleView = {
  /** Methods that its holders may call, in alphabetical order. */
  methods: Array<string>;
  /** Its name. */
  name: string;
  /** Its revision. */
  rev: Rev;
};

/** Which revision. */
export type RollbackSettings = {
  /** Refuse if the settings are not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** The revision whose settings are to be in force again. */
  to: Rev;
};

/** Which places. A point, a name, or both. */
export type SearchPlaces = {
  /** From an earlier page. */
  cursor?: string | null;
  /** Around this point: degrees north. */
  latitude?: number | null;
  /** How many at most. */
  limit?: number;
  /** Around this point: degrees east. */
  longitude?: number | null;
  /** How far around the point, in metres. */
  radiusM?: number;
  /** Each of its words begins a word of the place's name; at least one has two letters. */
  text?: string | null;
};

/** Up to where I have seen them. */
export type Seen = {
  /** The place; absent if there is nothing. */
  order?: string | null;
};

/** A new message. It says, points to, places or shares something. */
export type SendMessage = {
  /** The chat. */
  chat: string;
  /** The message's id, chosen once by the caller: sent again, it is the same message. */
  id: string;
  /** What it points to. */
  link?: WebAddress | null;
  /** Profiles that it mentions; if absent, those whose handles stand in the text after an `@`. */
  mentions?: Array<string> | null;
  /** Where it was written, or where to meet. */
  place?: Place | null;
  /** The message that it answers. */
  replyTo?: string | null;
  /** Something to share. */
  shared?: Object | null;
  /** What it says. */
  text?: string | null;
};

/** The host of a server with Mastodon's API. */
export type ServerName = string;

/** A kind of push service. */
export type Service = "apns" | "fcm" | "webPush" | "unifiedPush";

/** A session. */
export type SessionView = {
  /** Since when. */
  createdAt: string;
  /** The device that it belongs to. */
  device: string;
  /** When it ends unless it is refreshed. */
  expiresAt: string;
  /** Its id. */
  id: string;
  /** How somebody signed in. */
  proof: Proof;
  /** When tokens were last given out. */
  refreshedAt: string;
};

/** A new audience. */
export type SetAudience = {
  /** For whom it is to be. A profile is for `public` or for `followers`. */
  audience: Audience;
  /** Refuse if the object is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** A post of mine, or my profile. */
  object: Object;
};

/** Which picture. */
export type SetAvatar = {
  /** Only if the profile has this revision. */
  ifRev?: Rev | null;
  /** A finished upload of one's own that is a picture; `null` for none. */
  media?: string | null;
  /** Which place it is for. */
  slot?: Slot;
};

/** The accounts, as they are set. What is absent stays, `null` goes. */
export type SetCredentials = {
  /** Apple's. */
  apns?: ApnsArgs | null;
  /** Google's. */
  fcm?: FcmArgs | null;
  /** Refuse if they are not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** The key by which browsers' services know the app. */
  webPush?: WebPushArgs | null;
};

/** Which handle. */
export type SetHandle = {
  /** The handle, as it is to be shown. */
  handle: string;
  /** Only if the profile has this revision. */
  ifRev?: Rev | null;
};

/** How far I have read. */
export type SetMarker = {
  /** The newest entry that I have read. This or `order`. */
  id?: string | null;
  /** Its `order`, for a phone whose entry may be gone by the time this arrives. */
  order?: string | null;
  /** Which timeline. */
  timeline: Marked;
};

/** Whose role. */
export type SetMemberRole = {
  /** The chat; a group. */
  chat: string;
  /** A member. */
  profile: string;
  /** What the member may do from now on. */
  role: ChatRole;
};

/** What to change. */
export type SetPreferences = {
  /** Refuse if they are not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** By kind; those that are not named stay as they are. */
  kinds?: Record<string, ChangePreference>;
  /** When nothing is pushed; `null`: never. */
  quietHours?: QuietHours | null;
};

/** How I am there. */
export type SetPresence = {
  /** For how long, if nothing more is said: 60 seconds, if absent. */
  forS?: ForS;
  /** How. */
  state: Presence;
};

/** Where a device is reached. */
export type SetPushToken = {
  /** The device, which must be signed in; by default the one that asks. */
  device?: string | null;
  /** Of `webPush` and `unifiedPush`: the address, `https` only. */
  endpoint?: string | null;
  /** Of `webPush`, and of `unifiedPush` if what is sent is to be encrypted. */
  keys?: KeysInput | null;
  /** Of `apns`: the token is one of a build that is not from the store. */
  sandbox?: boolean;
  /** Which service reaches it. */
  service: Service;
  /** Of `apns` (hex digits) and `fcm`: the token. */
  token?: string | null;
  /** Wake the app silently when nothing is to be shown but something has changed, so that it syncs. */
  wake?: boolean;
};

/** What I do in a chat. */
export type SetTyping = {
  /** The chat. */
  chat: string;
  /** Whether I am writing something; yes, if absent. */
  typing?: boolean;
};

/** The settings in force. */
export type SettingsView = {
  /** Their revision. */
  rev: Rev;
  /** Revisions that are kept, the newest first. Empty while nothing was ever set. */
  revisions: Array<Revision>;
  /** All of them; what was never set has its default. */
  settings: AppSettings;
};

/** A share of a side: 0 to 1. */
export type Share = number;

/** A share. */
export type Share2 = {
  /** For whom. */
  audience: Audience;
  /** Who shared. */
  author: string;
  /** What they say of it. */
  comment?: string | null;
  /** When, by the server's clock. */
  createdAt: string;
  /** Its id, chosen by the author's device. */
  id: string;
  /** What. */
  object: SharedThing;
  /** A moderator took it down; only its author still sees it. */
  removed?: boolean;
  /** Its revision. */
  rev: Rev;
};

/** A page of a list. */
export type SharePage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Share2>;
};

/** An object that can be shared: `post:UUID`, `checkin:UUID`, `place:UUID` or `profile:UUID`. */
export type ShareableObject = string;

/** A profile that was shared. Its own page says more. */
export type SharedProfile = {
  /** Its id. */
  id: string;
  /** What it is called. */
  name?: string | null;
};

/** A shared object as the caller sees it. */
export type SharedThing = Post | NewsItem | Tweet | CheckIn | CheckInPlace | SharedProfile;

/** A short link. */
export type ShortLink = {
  /** Its code. The address in front of it is the app's own. */
  code: LinkCode;
  /** Where it leads. */
  object: ShareableObject;
  /** Tags for a page that shows where it leads, as whoever asks may see it. */
  preview: LinkPreview;
};

/** What is pushed of a notification. Its kind and ids go along in any case, for the app on the device. */
export type Show = "nothing" | "names" | "texts";

/** Who may make an account. */
export type SignUp = "open" | "invite" | "closed";

/** How much is too much. */
export type SizeLimits = {
  /** Bytes of a batch. */
  batchBytes: number;
  /** Calls of a batch. */
  batchCalls: number;
  /** Bytes of a call's body. */
  bodyBytes: number;
  /** Most characters of a handle. */
  handleMax: number;
  /** Fewest characters of a handle. */
  handleMin: number;
};

/** A place for a picture. */
export type Slot = "avatar" | "cover";

/** How reading a source goes. */
export type SourceHealth = {
  /** Readings that failed since the last good one. */
  failures: number;
  /** When it is read next. */
  nextAt?: string | null;
  /** Why the last one failed. */
  problem?: string | null;
  /** When it was read last, whatever came of it. */
  readAt?: string | null;
};

/** A change to be staged. */
export type StageChange = {
  /** For `replace` and `force-replace`: the joining member that takes its places. */
  by?: string | null;
  /** What is to change. */
  change: ChangeKind;
  /** The member: its name, or its id. */
  member: string;
  /** For `weight`, and for `join` if it is not 100: the share of the load, relative to the others'. With 0 it holds nothing. */
  weight?: number | null;
  /** For `zone`, and for `join` if it is not `default`: 1 to 63 of a-z, 0-9, `-`, `_` and `.`. */
  zone?: string | null;
};

/** What is staged now. */
export type Staged = {
  /** As of when, in milliseconds since 1970. */
  asOfMs: number;
  /** What is staged, in the order in which it was. */
  changes: Array<ChangeView>;
  /** The cluster; null for a member that is alone. */
  cluster: string | null;
  /** Of the ring. */
  generation: number;
  /** Counts what a plan depends on. */
  revision: number;
};

/** What an app may do. */
export type State = "active" | "readOnly" | "frozen";

/** How far a push has come. */
export type State2 = "queued" | "sent" | "accepted" | "failed" | "dropped" | "opened";

/** How the cluster is. */
export type Status = {
  /** How many apps there are. */
  apps: number;
  /** As of when, in milliseconds since 1970. */
  asOfMs: number;
  /** The cluster; null for a member that is alone. */
  cluster: string | null;
  /** Of the ring: it goes up whenever a partition is held by others, or should be led by another. */
  generation: number;
  /** The members, in the order of the configuration. */
  members: Array<MemberStatus>;
  /** Position of the metadata on the member that answers. */
  metaPosition: number;
  /** The partitions, by number. */
  partitions: Array<PartitionStatus>;
  /** Version of the program that answers. */
  version: string;
  /** Live connections that wait for changes, counted by what they watch. */
  watching: number;
};

/** How the server is, for a phone. */
export type Status2 = {
  /** A cursor that is up to date, for a phone that wants nothing of what was before. */
  cursor: string;
  /** A cursor that is older than this is answered with a resync. */
  oldestHeldAt: string;
  /** The server's time, for phones whose clock is wrong. */
  serverTime: string;
};

/** What is stored. Rows are not counted by app. */
export type Storage = {
  /** Their bytes. */
  bytes: number;
  /** How many bytes there may be; `null`: as many as the disk holds. */
  bytesMax: number | null;
  /** Files of uploads, smaller sizes of pictures included. */
  files: number;
};

/** What is muted: exactly one of them. */
export type Subject = {
  profile: string;
} | {
  thread: string;
} | {
  chat: string;
} | {
  tag: string;
} | {
  word: string;
};

/** What to follow. */
export type Subscribe = {
  /** From where. `Last-Event-ID` goes before it. Without either: from now on. */
  cursor?: string | null;
  /** Up to 50 roots that are open, beside one's own profile's. Absent: as the cursor has it. */
  roots?: Array<string> | null;
  /** From `realtime.getToken`, instead of the headers. */
  token?: string | null;
};

/** What is being written. */
export type Suggest = {
  /** Of which kinds; if absent, of all that are meant. */
  kinds?: Array<SuggestedKind> | null;
  /** How many of each kind at most. */
  limit?: number;
  /** How it begins. After an `@` only people are meant, after a `#` only tags. */
  text: string;
};

/** What can be suggested. */
export type SuggestedKind = "profile" | "tag" | "place";

/** A tag. */
export type SuggestedTag = {
  /** How many of the newest posts that the caller may see carry it; at most 50 were looked at. */
  posts: number;
  /** The tag, without the `#`. */
  tag: Tag;
};

/** A suggestion. */
export type Suggestion = Profile | SuggestedTag | CheckInPlace;

/** Suggestions. */
export type Suggestions = {
  /** People first, then tags, then places. */
  items: Array<Suggestion>;
  /** How far the index is behind: what was written in the last so many milliseconds may not be found yet. Absent while the index is made. */
  lagMs?: number | null;
};

/** A tag, folded to lower case, without the `#`: 1 to 64 letters, digits or underscores. */
export type Tag = string;

/** Who is on it. */
export type TagProfile = {
  /** The photo. */
  id: string;
  /** Who. */
  profile: string;
  /** Where: from the left (0) to the right (1). */
  x?: Share | null;
  /** Where: from the top (0) to the bottom (1). */
  y?: Share | null;
};

/** What is said of a person and a photo now. */
export type Tagged = {
  /** The photo. */
  id: string;
  /** Who. */
  profile: string;
  /** Whether that person is said to be on it. */
  tagged: boolean;
};

/** A thing with the properties that are used here. Others are passed over, as the recommendation asks of readers. */
export type Thing = {
  /** Where its names stand; on the outermost thing. */
  "@context"?: string | null;
  /** Who acts. */
  actor?: OneOrMore | null;
  /** Who made it. */
  attributedTo?: OneOrMore | null;
  /** What it says. */
  content?: string | null;
  /** Its address. */
  id?: string | null;
  /** What it replies to. */
  inReplyTo?: OneOrMore | null;
  /** What it is called. */
  name?: string | null;
  /** What is acted on. */
  object?: OneOrMore | null;
  /** Where from. */
  origin?: OneOrMore | null;
  /** What a person is called in addresses. */
  preferredUsername?: string | null;
  /** When. */
  published?: string | null;
  /** In words. */
  summary?: string | null;
  /** Where to. */
  target?: OneOrMore | null;
  /** What it is. */
  type?: Type | null;
};

/** What kind of thing. */
export type ThingKind = "album" | "chat" | "checkin" | "message" | "node" | "photo" | "place" | "post" | "profile" | "reply" | "share";

/** A page of a list. */
export type ThingPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Thing>;
};

/** A name of the IANA time zone database, as it is spelt: which zones there are changes, and is not looked up. */
export type TimeZone = string;

/** Something that happened. */
export type TimelineItem = {
  /** Who did it. */
  actor: string;
  /** When it happened, by the server's clock. */
  createdAt: string;
  /** The entry's id. */
  id: string;
  /** What it was done to. */
  object: TimelineObject;
  /** Its place in the timeline: a later entry has a greater text. */
  order: string;
  /** What: `create`, `arrive`, `share`. */
  verb: string;
};

/** What an entry points to. */
export type TimelineObject = Post | CheckIn | Share2;

/** A page of a timeline. */
export type TimelinePage = {
  /** For what is newer than this page. */
  after: string;
  /** For what is older than this page. */
  before: string;
  /** Goes on in the direction of this page. */
  cursor: string;
  /** Whether there is nothing more in the direction of this page, for now. */
  end: boolean;
  /** Newest first, whichever way the page was fetched. May be empty though there is more. */
  items: Array<TimelineItem>;
  /** My unread entries, of the home timeline; 100 stands for more than 99. */
  unread?: number | null;
};

/** A replica on its way. */
export type Transfer = {
  /** What has come, in bytes; null while nobody counts. */
  bytesDone: number | null;
  /** What is to come, in bytes; null while nobody counts. */
  bytesTotal: number | null;
  /** How long it will still take, in seconds; null while nobody knows. */
  etaS: number | null;
  /** Id of the member that gives its place up; null if the partition gets one replica more. */
  from: string | null;
  /** `move`, `add` or `remove`. */
  kind: string;
  /** The partition. */
  partition: number;
  /** `moving`; `waiting` for its turn (so many come to a member at once, and go from one, as `cluster.getConfig` says); or `paused`, as all are then. */
  state: string;
  /** Id of the member that takes it; null if the partition has one replica less. */
  to: string | null;
};

/** Replicas on their way. */
export type Transfers = {
  /** As of when, in milliseconds since 1970. */
  asOfMs: number;
  /** The cluster; null for a member that is alone. */
  cluster: string | null;
  /** Of the ring. */
  generation: number;
  /** What is left to be done, by partition. */
  transfers: Array<Transfer>;
};

/** A message that was tracked. Its texts are plain. */
export type Tweet = {
  /** The account's picture, at a server of others. */
  avatar?: string | null;
  /** When it was found. */
  foundAt: string;
  /** The account that wrote it: at Mastodon `name@server`. */
  handle: string;
  /** Its id. With it, people like it and reply to it as to a post. */
  id: string;
  /** A picture of it, at a server of others. */
  image?: string | null;
  /** Its language (BCP 47), as its service says. */
  language?: string | null;
  /** Reactions that were made here. */
  likes: Likes;
  /** Its page at its service. */
  link?: string | null;
  /** What the account calls itself. */
  name?: string | null;
  /** When it was written, as its service says; never later than it was found. */
  publishedAt: string;
  /** How many replies were made here. */
  replies: number;
  /** Its revision. */
  rev: Rev;
  /** Its author or its service says that not everybody may want to see it. */
  sensitive?: boolean;
  /** What it says; if it is sensitive, what its author warns of. */
  text: string;
  /** The track that found it. */
  track: string;
};

/** A page of a list. */
export type TweetPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<Tweet>;
};

/** A service of short messages. */
export type TweetService = "mastodon" | "x";

/** Something that is tracked. */
export type TweetTrack = {
  /** This account. */
  account?: string | null;
  /** When it was added. */
  createdAt: string;
  /** How reading it goes; for administrators of the app. */
  health?: SourceHealth | null;
  /** Its id, chosen by who added it. */
  id: string;
  /** Or what this search finds. */
  query?: string | null;
  /** Its revision. */
  rev: Rev;
  /** At which server, of Mastodon. */
  server?: string | null;
  /** Where. */
  service: TweetService;
  /** Or this tag. */
  tag?: string | null;
};

/** A page of a list. */
export type TweetTrackPage = {
  /** Where the next page begins; hand it back as it is. Absent when the list was empty. */
  cursor?: string | null;
  /** Whether this was the last page for now. */
  end: boolean;
  /** The items, in the list's order. */
  items: Array<TweetTrack>;
};

/** A type of the vocabulary. */
export type Type = "Activity" | "IntransitiveActivity" | "Accept" | "Add" | "Announce" | "Arrive" | "Block" | "Create" | "Delete" | "Dislike" | "Flag" | "Follow" | "Ignore" | "Invite" | "Join" | "Leave" | "Like" | "Listen" | "Move" | "Offer" | "Question" | "Reject" | "Read" | "Remove" | "TentativeReject" | "TentativeAccept" | "Travel" | "Undo" | "Update" | "View" | "Application" | "Group" | "Organization" | "Person" | "Service" | "Object" | "Article" | "Audio" | "Document" | "Event" | "Image" | "Note" | "Page" | "Place" | "Profile" | "Relationship" | "Tombstone" | "Video" | "Link" | "Mention" | "Collection" | "OrderedCollection" | "CollectionPage" | "OrderedCollectionPage";

/** Whether a type is of nodes or of links. */
export type TypeKind = "node" | "link";

/** All types of an app. */
export type TypeList = {
  /** By name. */
  items: Array<TypeView>;
};

/** A declared type. */
export type TypeView = {
  /** Attributes of nodes and what they hold; any, if absent. Links have `data`, which is free. */
  attributes?: Record<string, AttrKind> | null;
  /** What links start from. */
  from?: EndKind;
  /** The link type that is kept the other way round. Declare it too; it takes effect once it is there. */
  inverse?: string | null;
  /** Nodes or links. */
  kind: TypeKind;
  /** Its name. */
  name: string;
  /** Who may read. */
  read: Readers;
  /** The declaration's revision. */
  rev: Rev;
  /** What links lead to. */
  to?: EndKind;
  /** Who may write. */
  write: Writers2;
};

/** What I said. */
export type Typing = {
  /** The chat. */
  chat: string;
  /** Whether I am writing something. */
  typing: boolean;
  /** Until when that holds. */
  until: string;
};

/** Whose ban to lift. */
export type Unban = {
  /** Why, for the log. */
  reason?: string | null;
  /** Who or what. */
  target: BanTarget;
};

/** Whose ban was lifted. */
export type Unbanned = {
  /** Always false. */
  banned: boolean;
  /** Who or what. */
  target: BanTarget;
};

/** Which link. */
export type UnlinkProvider = {
  /** The provider. */
  provider: string;
};

/** What is no longer linked. */
export type Unlinked = {
  /** Always false. */
  linked: boolean;
  /** The provider. */
  provider: string;
};

/** What waits for me. */
export type UnreadChats = {
  /** Chats with unread messages, those aside that I mute. */
  chats: number;
  /** Those of them that mention me. */
  mentions: number;
  /** Unread messages in them; of each chat, 100 stands for more than 99. */
  messages: number;
};

/** Who is not on it. */
export type UntagProfile = {
  /** The photo. */
  id: string;
  /** Who. */
  profile: string;
};

/** An edit; what is absent stays. */
export type UpdateAlbum = {
  /** What it is about. */
  about?: string | null;
  /** Who may see it. */
  audience?: Audience | null;
  /** The album. */
  id: string;
  /** Refuse if the album is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** Its title. */
  title?: string | null;
};

/** A change of an app. */
export type UpdateApp = {
  /** The id it was created with. */
  id: string;
  /** Refuse if the app is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** What it may do. */
  state?: State | null;
  /** What people read. */
  title?: string | null;
};

/** What to change. */
export type UpdateChat = {
  /** The chat; a group. */
  id: string;
  /** Refuse if the chat is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** What it is called. Cannot be cleared. */
  title?: string | null;
  /** Who may write. Cannot be cleared. */
  writers?: Writers | null;
};

/** What is to be set. */
export type UpdateConfig = {
  /** Refuse if the settings are not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** With true no replica begins or goes on to move, until it is false again. One that has begun to fetch rows goes on fetching, and takes no place. */
  movesPaused?: boolean | null;
  /** Replicas that come to one member, or go from one, at once. */
  transfersMax?: number | null;
};

/** An edit. */
export type UpdateMessage = {
  /** The chat. */
  chat: string;
  /** A message of mine. */
  id: string;
  /** Refuse if the message is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** Profiles that it mentions; if absent, those whose handles stand in the text after an `@`. */
  mentions?: Array<string> | null;
  /** What it says from now on. */
  text: string;
};

/** An edit. */
export type UpdateNote = {
  /** What it is about. */
  about?: NoteSubject | null;
  /** The revision that was on the screen when this was written. If another device wrote a text since, both are kept; if it is the present one, the texts that were kept are settled by this one. Without it, the later text stands. */
  basedOn?: Rev | null;
  /** The note. */
  id: string;
  /** Refuse if the note is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** What it says; `null` is the empty text. */
  text?: string | null;
  /** Its title. */
  title?: string | null;
};

/** An edit; what is absent stays. */
export type UpdatePhoto = {
  /** What is on it, for who cannot see it. */
  alt?: string | null;
  /** Who may see it. */
  audience?: Audience | null;
  /** What it says. */
  caption?: string | null;
  /** The photo. */
  id: string;
  /** Refuse if the photo is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** Where it was taken. */
  place?: Place | null;
};

/** An edit. */
export type UpdatePost = {
  /** The post. */
  id: string;
  /** Refuse if the post is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** What it points to. */
  link?: WebAddress | null;
  /** Profiles that it mentions; when the text changes and this is absent, those that the text names. */
  mentions?: Array<string> | null;
  /** Where it was written. */
  place?: Place | null;
  /** Its tags; when the text changes and this is absent, those in the text. */
  tags?: Array<Tag> | null;
  /** What it says. Cannot be cleared. */
  text?: string | null;
};

/** What is to be changed; what is absent stays. */
export type UpdateProfile = {
  /** A text about oneself. */
  about?: string | null;
  /** Fields of the app's own: those that are named change, `null` clears one. */
  fields?: Record<string, unknown>;
  /** Only if the profile has this revision. */
  ifRev?: Rev | null;
  /** All links. */
  links?: Array<ProfileLink> | null;
  /** The name. */
  name?: string | null;
  /** Whether the profile asks who may follow it. */
  private?: boolean | null;
};

/** An edit. */
export type UpdateReply = {
  /** The reply. */
  id: string;
  /** Refuse if the reply is not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** Profiles that it mentions; if absent, those whose handles stand in the text after an `@`. */
  mentions?: Array<string> | null;
  /** What it says from now on. */
  text: string;
};

/** What to change. What is absent stays, `null` goes back to what it was before anything was set. */
export type UpdateSettings = {
  /** Who sees what I publish without saying for whom. */
  defaultAudience?: Audience | null;
  /** How often I want a summary. */
  digest?: Digest | null;
  /** At which hour of my day. */
  digestHour?: Hour | null;
  /** Refuse if they are not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** The language to be spoken to in. */
  language?: Language | null;
  /** Whether others may see that I am there. */
  showPresence?: boolean | null;
  /** The time zone to reckon days in. */
  timeZone?: TimeZone | null;
};

/** A change of settings. */
export type UpdateSettings2 = {
  /** Refuse if the settings are not at this revision. The same as `If-Match`. */
  ifRev?: Rev | null;
  /** What to change. */
  settings: AppSettingsInput;
};

/** An upload. */
export type Upload = {
  /** Until when it must be finished. Absent when it is. */
  expiresAt?: string | null;
  /** Its id. */
  id: string;
  /** What it became. */
  media?: Media | null;
  /** How many of them have come: where the next part begins. */
  offset: number;
  /** Its revision. */
  rev: Rev;
  /** How many bytes it has. */
  size: number;
  /** How far it got. */
  state: UploadState;
  /** Where its bytes go: a path on this server. Absent when it is finished. */
  url?: string | null;
};

/** Bytes of an upload. */
export type UploadSize = number;

/** How far an upload got. */
export type UploadState = "open" | "ready";

/** What somebody did. */
export type Verb = "create" | "follow" | "like";

/** A whole number of seconds, 0 to 30. */
export type WaitS = number;

/** A web address that a post points to. */
export type WebAddress = string;

/** A key for browsers. */
export type WebPushArgs = {
  /** The key: 32 bytes in base64url. Without it, the present one stays; if there is none, one is made. */
  privateKey?: string | null;
  /** Whom a browser's service may write to about the app: `mailto:` or `https:`. */
  subject: string;
};

/** A key for browsers, without the private one. */
export type WebPushView = {
  /** The public key: a browser's `applicationServerKey`. */
  publicKey: string;
  /** Whom a browser's service may write to. */
  subject: string;
};

/** Which hook. */
export type WhichHook = {
  /** The hook. */
  id: string;
};

/** Which key. */
export type WhichKey = {
  /** The key. */
  id: string;
};

/** Who may write in a group. */
export type Writers = "members" | "moderators";

/** Who may write. */
export type Writers2 = "user" | "owner" | "server";
