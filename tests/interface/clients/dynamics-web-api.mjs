// Runs operations of the npm package dynamics-web-api against the address it is given; prints one JSON line for each.
import { DynamicsWebApi } from "dynamics-web-api";

const api = new DynamicsWebApi({
  serverUrl: process.argv[2],
  dataApi: { version: process.argv[3] },
  onTokenRefresh: async () => "demo-dataverse-token",
});
const collection = "contacts";
const table = "LogicalName='contact'";
const account = { navigationProperty: "parentcustomerid_account", relatedCollection: "accounts" };
const relatedKey = "aaaa0000-0000-4000-8000-0000000000a1";
const key = await api.create({ collection, data: { firstname: "Aino", lastname: "Mäkelä" } });

const steps = {
  create: () => api.create({ collection, data: { lastname: "Salo" }, returnRepresentation: true }),
  retrieve: () => api.retrieve({ collection, key, select: ["fullname"] }),
  update: () => api.update({ collection, key, data: { lastname: "Heino" } }),
  updateSingleProperty: () => api.updateSingleProperty({ collection, key, fieldValuePair: { jobtitle: "Buyer" } }),
  retrieveMultiple: () => api.retrieveMultiple({ collection, select: ["fullname"], filter: "lastname eq 'Heino'" }),
  retrieveAll: () => api.retrieveAll({ collection, select: ["fullname"] }),
  count: () => api.count({ collection }),
  upsert: () => api.upsert({ collection, key: "aaaa0000-0000-4000-8000-0000000000ff", data: { lastname: "Laine" } }),
  associateSingleValued: () => api.associateSingleValued({ collection, primaryKey: key, ...account, relatedKey }),
  disassociateSingleValued: () => api.disassociateSingleValued({ collection, primaryKey: key, ...account }),
  callFunction: () => api.callFunction("WhoAmI"),
  retrieveEntities: () => api.retrieveEntities({ select: ["LogicalName"] }),
  retrieveAttributes: () => api.retrieveAttributes({ entityKey: table, select: ["LogicalName"] }),
  executeBatch: async () => {
    api.startBatch();
    api.create({ collection, data: { lastname: "Salo" }, inChangeSet: false });
    api.retrieveMultiple({ collection, top: 1, inChangeSet: false });
    await api.executeBatch();
  },
  "deleteRecord of a property": () => api.deleteRecord({ collection, key, property: "jobtitle" }),
  deleteRecord: () => api.deleteRecord({ collection, key }),
  fetch: () => api.fetch({ collection, fetchXml: "<fetch><entity name='contact'/></fetch>" }),
  callAction: () => api.callAction({ actionName: "PublishAllXml" }),
  "executeBatch with a change set": async () => {
    api.startBatch();
    api.create({ collection, data: { lastname: "Salo" } });
    await api.executeBatch();
  },
};

for (const [name, step] of Object.entries(steps)) {
  let status = 200;
  try {
    await step();
  } catch (error) {
    status = (Array.isArray(error) ? error[0] : error).status ?? 0;
  }
  console.log(JSON.stringify([name, status]));
}
